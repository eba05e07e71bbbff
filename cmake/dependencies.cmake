# What hoist is built on, each as an imported target (so that its headers count as system headers).
# All of it is in Debian 12; deploy/packages lists the package names.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(ISAL REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)

# libfcgi ships no .pc file on Debian 12.  The responder uses its header of the protocol (fcgi-app/fastcgi/fastcgi.h says why not
# more); the yardstick of its benchmark uses all of it.
find_path(FCGI_INCLUDE_DIR fcgiapp.h REQUIRED)
find_library(FCGI_LIBRARY fcgi REQUIRED)
add_library(hoist_fcgi_protocol INTERFACE IMPORTED)
set_target_properties(hoist_fcgi_protocol PROPERTIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${FCGI_INCLUDE_DIR}")
add_library(hoist_libfcgi INTERFACE IMPORTED)
set_target_properties(hoist_libfcgi PROPERTIES
  INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${FCGI_INCLUDE_DIR}"
  INTERFACE_LINK_LIBRARIES "${FCGI_LIBRARY}")

# libmagic tells what a file is by its first bytes, for the setting allow_types; without it that setting is refused.
set(HOIST_MAGIC AUTO CACHE STRING "look at the type of uploads with libmagic: AUTO (where it is there), ON or OFF")
set_property(CACHE HOIST_MAGIC PROPERTY STRINGS AUTO ON OFF)
set(HOIST_HAVE_MAGIC OFF)
if(HOIST_MAGIC STREQUAL "ON")
  pkg_check_modules(MAGIC REQUIRED IMPORTED_TARGET libmagic)
elseif(NOT HOIST_MAGIC STREQUAL "OFF")
  pkg_check_modules(MAGIC IMPORTED_TARGET libmagic)
endif()
if(MAGIC_FOUND AND NOT HOIST_MAGIC STREQUAL "OFF")
  set(HOIST_HAVE_MAGIC ON)
endif()
