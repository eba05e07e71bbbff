# HOIST_CODE: where the code of the programs is; the tree itself, but for a mutant.
# A mutant is a hoist with one rule broken, for tests/chaos/mutants: -D HOIST_MUTANT=NAME applies
# tests/chaos/mutants/NAME.patch to a copy of the code in the build directory, so that the code itself has no switches for it.
# Another NAME in the same build directory: what it changes, and what the one before did, is built again.
set(HOIST_MUTANT "" CACHE STRING "a rule to break, see tests/chaos/mutants; empty: none")
set(HOIST_CODE ${PROJECT_SOURCE_DIR})
if(HOIST_MUTANT)
  set(patch ${PROJECT_SOURCE_DIR}/tests/chaos/mutants/${HOIST_MUTANT}.patch)
  if(NOT EXISTS ${patch})
    message(FATAL_ERROR "HOIST_MUTANT: there is no ${patch}")
  endif()
  find_program(PATCH_PROGRAM patch REQUIRED)
  set(HOIST_CODE ${PROJECT_BINARY_DIR}/mutant)
  foreach(folder shared fcgi-app worker)
    file(GLOB_RECURSE files RELATIVE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/${folder}/*)
    foreach(file ${files})
      cmake_path(GET file PARENT_PATH below)
      file(MAKE_DIRECTORY ${HOIST_CODE}/${below})
      file(COPY_FILE ${PROJECT_SOURCE_DIR}/${file} ${HOIST_CODE}/${file} ONLY_IF_DIFFERENT)
    endforeach()
  endforeach()
  execute_process(COMMAND ${PATCH_PROGRAM} -p1 --force --no-backup-if-mismatch --reject-file=- -i ${patch}
    WORKING_DIRECTORY ${HOIST_CODE} OUTPUT_VARIABLE said ERROR_VARIABLE said RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${patch} does not apply:\n${said}")
  endif()
  message(STATUS "mutant ${HOIST_MUTANT}: nobody is to use this build")
endif()
