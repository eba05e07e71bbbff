# Makes generated/hoist.lua, the queue's console: a FUNCTION library (Redis 7, Valkey) of what an operator types; run at
# build time:
#   cmake -D SOURCE=shared/queue -D SCRIPTS=generated/queue -D JOB_H=shared/job.h -D VERSION=0.1.0 -D OUT=generated/hoist.lua
#     -P cmake/functions.cmake
# The scripts go in as the workers run them: the texts that cmake/scripts.cmake has made, each as a Lua function of KEYS
# and ARGV.  The names of the keys are read from lib.lua.
#
# The library is called hoist_vN, N being the version of the job records (shared/job.h): two hoists that do not understand
# each other's records can be told apart, and one that does is replaced in one step (FUNCTION LOAD REPLACE).  Which build it
# is says hoist_version.  Functions have one name for all, so a server has one library at a time; the workers do not
# use it.
cmake_minimum_required(VERSION 3.25)

set(parts lib lib_clock lib_links lib_record lib_claim)
set(called status cancel retry promote reprioritize)

file(READ ${JOB_H} job_h)
if(NOT job_h MATCHES "JOB_VERSION = ([0-9]+)")
  message(FATAL_ERROR "${JOB_H} has no JOB_VERSION")
endif()
set(record_version ${CMAKE_MATCH_1})
file(READ ${SOURCE}/lib.lua lib)
if(NOT lib MATCHES "local ([a-z,\n ]+), job = unpack")
  message(FATAL_ERROR "${SOURCE}/lib.lua does not begin with the names of the keys")
endif()
string(REGEX REPLACE "([a-z]+)" "'\\1'" names "${CMAKE_MATCH_1}")
string(REGEX REPLACE "[\n ]+" " " names "${names}")

set(body "")
foreach(name ${called})
  file(READ ${SCRIPTS}/${name}.lua text)
  string(REGEX REPLACE "^#!lua[^\n]*\n" "" text "${text}")
  string(APPEND body "scripts.${name} = function(KEYS, ARGV)\n${text}end\n\n")
endforeach()
file(READ ${SOURCE}/console/head.lua text)
string(APPEND body "${text}\nscripts.fsck = function(KEYS, ARGV)\n")
foreach(name ${parts} console/fsck)
  file(READ ${SOURCE}/${name}.lua text)
  string(APPEND body "${text}")
endforeach()
string(APPEND body "end\n\n")
foreach(name look steer register)
  file(READ ${SOURCE}/console/${name}.lua text)
  string(APPEND body "${text}\n")
endforeach()
if(body MATCHES "[^\n -~]")
  message(FATAL_ERROR "${SOURCE}: only printable ASCII is allowed")
endif()
string(SHA1 digest "${body}")
string(SUBSTRING ${digest} 0 12 digest)
file(WRITE ${OUT} "#!lua name=hoist_v${record_version}\n"
  "-- Made by cmake/functions.cmake from shared/queue/: the queue's console, see deploy/redis-cli.md.\n"
  "local VERSION, LIBRARY, RECORD_VERSION = '${VERSION}', 'hoist_v${record_version}', ${record_version}\n"
  "local DIGEST, KEEP = '${digest}', '86400000'\n"
  "local NAMES = {${names}}\n"
  "local scripts = {}\n\n"
  "${body}")
