// SPDX-License-Identifier: Apache-2.0
// For each file of /data/in write its SHA-256 into a file of the same name in /data/out.
'use strict';
const { createHash } = require('node:crypto');
const { readdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');

const names = readdirSync('/data/in').sort();
for (const name of names) {
  const sum = createHash('sha256').update(readFileSync(`/data/in/${name}`)).digest('hex');
  writeFileSync(`/data/out/.${name}`, `${sum}\n`);
  renameSync(`/data/out/.${name}`, `/data/out/${name}`); // a reader sees all of it or nothing
}
console.log(`${names.length} files`);
