#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# pip: a wheel is built with a module in C, and goes into an environment of its own.
mkdir /tmp/p && cd /tmp/p || exit
printf 'from setuptools import setup, Extension\nsetup(name="added", version="1", ext_modules=[Extension("added", ["added.c"])])\n' >setup.py
cat >added.c <<'END'
#include <Python.h>
static PyObject *add(PyObject *self, PyObject *args)
{
    long a, b;
    return PyArg_ParseTuple(args, "ll", &a, &b) ? PyLong_FromLong(a + b) : NULL;
}
static PyMethodDef methods[] = {{"add", add, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "added", NULL, -1, methods};
PyMODINIT_FUNC PyInit_added(void) { return PyModule_Create(&module); }
END
python3 -m venv --system-site-packages /tmp/v || exit
/tmp/v/bin/pip --quiet --no-input wheel --no-index --no-build-isolation --no-deps -w /tmp/wheels . 2>&1
ls /tmp/wheels
/tmp/v/bin/pip --quiet install --no-index /tmp/wheels/*.whl 2>&1
cd / && /tmp/v/bin/python -c 'import added; print(added.add(2, 3))'
/tmp/v/bin/pip list 2>/dev/null | grep added | tr -s ' '
/tmp/v/bin/python -c 'import multiprocessing as m; print(m.get_context("spawn").Pool(2).map(abs, [-1, -2]))'
