# write_modules(SOURCE OUT FILES JOINED): the scripts of the dashboard as they are served.  The modules JOINED (names, each after
# those that it imports) become one file, app.js, so that a first visit waits for one answer and not for a chain of them:
#
#     import { ago, sum as add } from "./tools.js";        const { ago, sum: add } = $tools;
#     export const when = …                        -->     const when = …            in   export const $parts = (() => { …
#                                                                                         return { when };
#                                                                                         })();
#
# Each keeps a scope of its own.  A module among FILES (ui/NAME.js) that is loaded later stays a file and takes what it imports of
# them from app.js, so that nothing is there twice.  Comments that begin a line, and indentation, are left out of all of them.
#
# It knows no JavaScript, only these lines, from the first column on: `import { … } from "./NAME.js";`, `export` before
# const, function, async function or class.  Anything else with import or export there stops the build.  No text in backquotes may go
# on over a line that begins with spaces or a comment.

# Sets `text`, of the module's bytes: what a browser needs.
macro(read_module file)
  file(READ ${file} text)
  string(PREPEND text "\n")
  string(REGEX REPLACE "\n[ ]*/\\*([^*]|\\*+[^*/])*\\*+/" "\n" text "${text}")
  string(REGEX REPLACE "\n[ \n]+" "\n" text "${text}")
endmacro()

# Its imports from modules that are joined; how they begin is up to the caller, who gives the line before.
macro(rewrite_imports file before known)
  string(REGEX MATCHALL "\nimport {[^}]*} from \"\\./[a-z_]+\\.js\"" lines "${text}")
  foreach(line ${lines})
    string(REGEX REPLACE ".*/([a-z_]+)\\.js\"" "\\1" from "${line}")
    if(from IN_LIST JOINED)
      if(NOT from IN_LIST ${known})
        message(FATAL_ERROR "${file} imports ${from}.js, which is joined after it")
      endif()
      string(REGEX REPLACE "\nimport ({[^}]*}).*" "\nconst \\1 = $${from}" new "${line}")
      string(REPLACE " as " ": " new "${new}")
      string(REPLACE "FROM" "${from}" head "${before}")
      string(REPLACE "${line}" "${head}${new}" text "${text}")
    endif()
  endforeach()
endmacro()

function(write_modules SOURCE OUT FILES JOINED)
  set(app "")
  set(known "")
  foreach(name ${JOINED})
    set(file ${SOURCE}/${name}.js)
    read_module(${file})
    rewrite_imports(${file} "" known)
    string(REGEX MATCHALL "\nexport (const|class|function|async function) [A-Za-z0-9_$]+" exports "${text}")
    list(TRANSFORM exports REPLACE ".* " "")
    list(JOIN exports ", " exports)
    string(REGEX REPLACE "\nexport (const|class|function|async function) " "\n\\1 " text "${text}")
    if(text MATCHES "\n((import|export)[^(][^\n]*)")
      message(FATAL_ERROR "${file}: cmake/modules.cmake does not know \"${CMAKE_MATCH_1}\"")
    endif()
    string(APPEND app "export const $${name} = (() => {${text}return { ${exports} };\n})();\n")
    list(APPEND known ${name})
  endforeach()
  file(WRITE ${OUT}/app.js "${app}")
  foreach(path ${FILES})
    if(path MATCHES "^ui/([a-z_]+)\\.js$" AND NOT path STREQUAL "ui/app.js")
      set(file ${SOURCE}/${CMAKE_MATCH_1}.js)
      set(out ${OUT}/${CMAKE_MATCH_1}.js)
      read_module(${file})
      rewrite_imports(${file} "\nimport { $FROM } from \"./app.js\";" known)
      string(SUBSTRING "${text}" 1 -1 text)
      file(WRITE ${out} "${text}")
    endif()
  endforeach()
endfunction()
