// SPDX-License-Identifier: Apache-2.0
// An HTTP server on port 8080, of Express.
'use strict';
const express = require('express');

const app = express();

app.get('/', (request, answer) => {
  answer.type('text/plain').send('Hello from Express\n');
});
app.listen(8080);
