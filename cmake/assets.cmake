# Makes generated/web_assets.c, the files that hoist-fcgi serves by itself; run at build time:
#   cmake -D SOURCE=fcgi-app/web -D "FILES=index.html ui/page.css ui/app.js" -D "JOINED=tools main" -D OUT=generated
#     -P cmake/assets.cmake
# They are below SOURCE/assets; hoist.js, which is also a package of its own, is in SOURCE/npm.  Scripts in ui/ are taken from
# OUT/web, where cmake/modules.cmake puts them, ui/app.js among them.
# Each file goes in twice, as it is and as `gzip -9` makes it (only once, where that saves nothing), with a strong ETag of its
# bytes for either; fcgi-app/web/assets.h says how they are found.
cmake_minimum_required(VERSION 3.25)

# What a browser is told it is.  A file of another kind stops the build.
set(type_html "text/html; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_mjs "text/javascript; charset=utf-8")
set(type_json "application/json")
set(type_svg "image/svg+xml")
set(type_png "image/png")

find_program(GZIP gzip REQUIRED)
separate_arguments(FILES UNIX_COMMAND "${FILES}")
separate_arguments(JOINED UNIX_COMMAND "${JOINED}")
include(${CMAKE_CURRENT_LIST_DIR}/modules.cmake)
write_modules(${SOURCE}/assets/ui ${OUT}/web/ui "${FILES}" "${JOINED}")

# add_bytes(VARIABLE FILE): an array of its bytes, its length and its tag.
function(add_bytes variable file tail)
  file(READ ${file} bytes HEX)
  file(SIZE ${file} length)
  file(SHA256 ${file} digest)
  string(SUBSTRING ${digest} 0 24 digest)
  string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  set(${variable}_len ${length} PARENT_SCOPE)
  set(${variable}_etag "\\\"${digest}${tail}\\\"" PARENT_SCOPE)
  set(c "${c}static const unsigned char ${variable}[] = {\n${bytes}};\n" PARENT_SCOPE)
endfunction()

file(MAKE_DIRECTORY ${OUT})
set(c "/* Made by cmake/assets.cmake from fcgi-app/web/. */\n#include \"fcgi-app/web/assets.h\"\n\n")
set(rows "")
set(i 0)
foreach(file ${FILES})
  cmake_path(GET file EXTENSION LAST_ONLY kind)
  string(SUBSTRING "${kind}" 1 -1 kind)
  if(NOT DEFINED type_${kind})
    message(FATAL_ERROR "${file}: cmake/assets.cmake has no media type for .${kind}")
  endif()
  foreach(place ${OUT}/web ${SOURCE}/assets ${SOURCE}/npm)
    set(plain ${place}/${file})
    if(EXISTS ${plain})
      break()
    endif()
  endforeach()
  set(packed ${OUT}/web_asset.gz)
  execute_process(COMMAND ${GZIP} -9 -n -c INPUT_FILE ${plain} OUTPUT_FILE ${packed} COMMAND_ERROR_IS_FATAL ANY)
  add_bytes(plain_${i} ${plain} "")
  file(SIZE ${packed} packed_len)
  set(packed_row "NULL, 0, \"\"")
  if(packed_len LESS plain_${i}_len)
    add_bytes(packed_${i} ${packed} "-gz")
    set(packed_row "packed_${i}, ${packed_${i}_len}, \"${packed_${i}_etag}\"")
  endif()
  string(APPEND rows "    {\"${file}\", \"${type_${kind}}\",\n"
    "     {plain_${i}, ${plain_${i}_len}, \"${plain_${i}_etag}\"},\n     {${packed_row}}},\n")
  math(EXPR i "${i} + 1")
  file(REMOVE ${packed})
endforeach()
string(APPEND c "\nconst struct asset assets[] = {\n${rows}};\nconst size_t assets_count = ${i};\n")
file(WRITE ${OUT}/web_assets.c "${c}")
