/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration of picolibc for Mullion's ring 3, in place of the one its meson build would write:
 * integer-only printf with long long, one errno, no thread-local storage, no locale, no wide
 * characters. The small allocator takes its lock through the __retarget_lock functions of
 * user/libc.c. */
#ifndef MULLION_PICOLIBC_H
#define MULLION_PICOLIBC_H

#define __PICOLIBC__            1
#define __PICOLIBC_MINOR__      8
#define __PICOLIBC_PATCHLEVEL__ 10
#define __PICOLIBC_VERSION__    "1.8.10"
#define _PICOLIBC__             1
#define _PICOLIBC_MINOR__       8
#define _PICOLIBC_VERSION       "1.8.10"
#define __NEWLIB__              4
#define __NEWLIB_MINOR__        3
#define __NEWLIB_PATCHLEVEL__   0
#define _NEWLIB_VERSION         "4.3.0"

#define __TINY_STDIO                       1
#define __NANO_MALLOC                      1
#define __GLOBAL_ERRNO                     1
#define __FAST_STRCMP                      1
#define __IO_DEFAULT                       'l'
#define __IO_C99_FORMATS                   1
#define __IO_LONG_LONG                     1
#define __IO_SMALL_ULTOA                   1
#define __HAVE_COMPLEX                     1
#define __HAVE_BITFIELDS_IN_PACKED_STRUCTS 1
#define __HAVE_CC_INHIBIT_LOOP_TO_LIBCALL  1
#define __OBSOLETE_MATH_FLOAT              0
#define __OBSOLETE_MATH_DOUBLE             0

#endif
