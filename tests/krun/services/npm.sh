#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# npm: `npm ci` of a module in C++, which node-gyp builds, and a script of the package's.
mkdir -p /tmp/n/native && cd /tmp/n/native || exit
echo '{"name": "native", "version": "1.0.0", "main": "index.js", "gypfile": true, "scripts": {"install": "node-gyp rebuild"}}' >package.json
echo 'module.exports = require("./build/Release/native.node")' >index.js
echo '{"targets": [{"target_name": "native", "sources": ["native.cc"]}]}' >binding.gyp
cat >native.cc <<'END'
#include <node_api.h>
static napi_value Add(napi_env env, napi_callback_info info)
{
    size_t count = 2;
    napi_value args[2], result;
    int32_t a = 0, b = 0;
    napi_get_cb_info(env, info, &count, args, nullptr, nullptr);
    napi_get_value_int32(env, args[0], &a);
    napi_get_value_int32(env, args[1], &b);
    napi_create_int32(env, a + b, &result);
    return result;
}
NAPI_MODULE_INIT()
{
    napi_value add;
    napi_create_function(env, "add", NAPI_AUTO_LENGTH, Add, nullptr, &add);
    napi_set_named_property(env, exports, "add", add);
    return exports;
}
END
export npm_config_offline=true npm_config_update_notifier=false npm_config_audit=false npm_config_fund=false npm_config_nodedir=/usr
npm pack --silent --pack-destination /tmp/n
cd /tmp/n || exit
cat >package.json <<'END'
{
    "name": "whole", "version": "1.0.0", "dependencies": {"native": "file:native-1.0.0.tgz"},
    "scripts": {"start": "node -p 'require(\"native\").add(2, 3)'"}
}
END
npm install --silent --package-lock-only && npm ci 2>&1 | grep -o 'added 1 package'
npm start --silent
