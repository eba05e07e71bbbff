# Makes generated/queue_scripts.c and .h from shared/queue/*.lua; run at build time:
#   cmake -D SOURCE=shared/queue -D OUT=generated -P cmake/scripts.cmake
# Each script is lib.lua + the parts named below + NAME.lua, in two forms: for servers before 7 with replicate_commands (the clock is read before
# the writes), and from 7 on with a first line of flags.  The SHA-1 that EVALSHA names is that of the exact text; the
# texts are kept beside the C file, for reading and for `redis-cli --eval`.
cmake_minimum_required(VERSION 3.25)

# What Redis at maxmemory must go on doing: everything that gets jobs out of it, and claim and start, without which no job
# would ever end.  Only enqueue (and retry, which starts work anew) is refused then.
set(flags_enqueue "#!lua")
set(flags_retry "#!lua")
set(flags_status "#!lua flags=no-writes")
set(flags_quota "#!lua")
foreach(name claim start beat finish fail release promote reap cancel reprioritize batch begun)
  set(flags_${name} "#!lua flags=allow-oom")
endforeach()
set(names enqueue claim start begun beat finish fail release promote reap cancel retry reprioritize batch status quota)

# The parts of the library that each script is given besides lib.lua.
set(parts_beat lib_clock lib_arrived)
set(parts_start lib_clock)
set(parts_batch lib_clock lib_links)
set(parts_claim lib_clock lib_links lib_claim)
set(parts_status lib_clock lib_links lib_claim)
set(parts_finish lib_clock lib_links lib_record lib_claim lib_arrived)
foreach(name enqueue begun promote reap cancel retry reprioritize)
  set(parts_${name} lib_clock lib_links lib_record)
endforeach()
foreach(name fail release)
  set(parts_${name} lib_clock lib_links lib_record lib_arrived)
endforeach()

# Text as an array of bytes: ISO C promises string literals of 4,095 bytes only.
function(add_text variable text file)
  file(WRITE ${file} "${text}")
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  file(SHA1 ${file} sha1)
  set(${variable}_sha1 ${sha1} PARENT_SCOPE)
  set(c "${c}static const char ${variable}[] = {\n${bytes}0};\n" PARENT_SCOPE)
endfunction()

file(MAKE_DIRECTORY ${OUT}/queue)
file(READ ${SOURCE}/lib.lua lib)
set(c "/* Made by cmake/scripts.cmake from shared/queue/. */\n#include \"queue_scripts.h\"\n\n#include \"shared/queue.h\"\n\n")
set(h "/* Made by cmake/scripts.cmake from shared/queue/: one script for each operation of shared/queue.h. */\n")
string(APPEND h "#ifndef HOIST_QUEUE_SCRIPTS_H\n#define HOIST_QUEUE_SCRIPTS_H\n\n#include \"shared/redis.h\"\n\n")
set(list "")
foreach(name ${names})
  file(READ ${SOURCE}/${name}.lua own)
  set(text "${lib}")
  if(name STREQUAL "quota") # of no queue
    set(text "")
  endif()
  foreach(part ${parts_${name}})
    file(READ ${SOURCE}/${part}.lua more)
    string(APPEND text "${more}")
  endforeach()
  string(APPEND text "${own}")
  if(text MATCHES "[^\n -~]")
    message(FATAL_ERROR "${SOURCE}/${name}.lua or lib*.lua: only printable ASCII is allowed")
  endif()
  add_text(${name}_body "if redis.replicate_commands then redis.replicate_commands() end\n${text}"
    ${OUT}/queue/${name}.6.lua)
  add_text(${name}_body_7 "${flags_${name}}\n${text}" ${OUT}/queue/${name}.lua)
  string(APPEND c "const struct redis_script queue_script_${name} = {\"${name}\", ${name}_body, "
    "\"${${name}_body_sha1}\", ${name}_body_7, \"${${name}_body_7_sha1}\"};\n\n")
  string(APPEND h "extern const struct redis_script queue_script_${name};\n")
  string(APPEND list "    &queue_script_${name},\n")
endforeach()
string(APPEND c "const struct redis_script *const queue_scripts[] = {\n${list}    NULL,\n};\n")
string(APPEND h "\n#endif\n")
file(WRITE ${OUT}/queue_scripts.c "${c}")
file(WRITE ${OUT}/queue_scripts.h "${h}")
