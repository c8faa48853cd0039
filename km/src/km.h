// SPDX-License-Identifier: Apache-2.0
/*
 * km.h: what the monitor's files know of each other, by subject. A file of src/ includes this
 * first.
 */
#ifndef KM_H
#define KM_H

#include "base.h"
#include "helper.h"
#include "memory.h"
#include "process.h"
#include "signals.h"
#include "vm.h"

#endif /* KM_H */
