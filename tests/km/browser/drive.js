// Drives a browser through four tabs, each with a worker, WebAssembly and a canvas, then a download
// and a PDF; prints what came of it. Arguments: the browser, and a folder for pictures.
const { chromium } = require('playwright-core');
const fs = require('fs');
const http = require('http');

const [browserPath, folder] = process.argv.slice(2);

const page = (name) => `<!doctype html><body>
<canvas id="canvas" width="200" height="200"></canvas><a id="get" href="/file">get</a><p id="text"></p><script>
  const draw = document.getElementById('canvas').getContext('2d');
  draw.fillStyle = '#c00';
  draw.fillRect(10, 10, 100, 100);
  const code = 'onmessage = (e) => { let s = 0; for (let i = 0; i < e.data; i++) s += i; postMessage(s); }';
  const worker = new Worker(URL.createObjectURL(new Blob([code])));
  const add = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1,
    3, 97, 100, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11]);
  worker.onmessage = async (e) => {
    const { instance } = await WebAssembly.instantiate(add);
    document.getElementById('text').textContent = [e.data, instance.exports.add(40, 2), '${name}'].join(' ');
  };
  worker.postMessage(1e6);
</script>`;

function answer(request, response) {
  if (request.url === '/file') {
    response.setHeader('Content-Disposition', 'attachment; filename="data.bin"');
    response.end(Buffer.alloc(3000000, 7));
  } else {
    response.setHeader('Content-Type', 'text/html');
    response.end(page(request.url));
  }
}

async function main() {
  const server = http.createServer(answer).listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const browser = await chromium.launch({ executablePath: browserPath, timeout: 120000 });
  const context = await browser.newContext({ acceptDownloads: true });
  context.setDefaultTimeout(120000);
  const tabs = await Promise.all([1, 2, 3, 4].map(() => context.newPage()));
  await Promise.all(tabs.map((tab, i) => tab.goto(`http://127.0.0.1:${server.address().port}/${i}`)));
  for (const [i, tab] of tabs.entries()) {
    await tab.waitForFunction(() => document.getElementById('text').textContent);
    console.log(await tab.textContent('#text'));
    await tab.screenshot({ path: `${folder}/tab${i}.png` });
  }
  const [download] = await Promise.all([tabs[0].waitForEvent('download'), tabs[0].click('#get')]);
  const bytes = fs.readFileSync(await download.path());
  console.log(download.suggestedFilename(), bytes.length, bytes.every((byte) => byte === 7));
  console.log('PDF', (await tabs[1].pdf()).subarray(0, 5).toString());
  console.log(await tabs[2].evaluate(
    () => [...document.getElementById('canvas').getContext('2d').getImageData(50, 50, 1, 1).data]));
  await browser.close();
  server.close();
}

main().catch((error) => { console.error(error); process.exit(1); });
