// SPDX-License-Identifier: Apache-2.0
// An HTTP server on port 8080.
'use strict';
const http = require('node:http');

http
  .createServer((request, answer) => {
    answer.setHeader('Content-Type', 'text/plain');
    answer.end('Hello from Node.js\n');
  })
  .listen(8080);
