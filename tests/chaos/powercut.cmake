# The power-cut rig, behind tests/chaos/powercut, and what directed faults stand on: a disk whose power can be cut, a hoist
# whose programs are started one by one, a program stopped behind its Nth system call.
add_library(chaos_rig STATIC disk.c rig.c rig_judge.c trace.c points.c cuts.c place.c)
target_link_libraries(chaos_rig PRIVATE project_strict PUBLIC chaos_clients test_support)
add_executable(chaos_powercut powercut.c)
target_link_libraries(chaos_powercut PRIVATE project_strict chaos_rig)
add_dependencies(chaos_powercut hoist-fcgi hoist-worker)

# What shows that a hoist that breaks a rule is caught: see mutants/run.
add_executable(chaos_directed mutants/directed.c mutants/directed_bytes.c mutants/directed_token.c)
target_link_libraries(chaos_directed PRIVATE project_strict chaos_rig)
add_library(chaos_spoil_sync MODULE mutants/spoil_sync.c)
target_link_libraries(chaos_spoil_sync PRIVATE project_strict ${CMAKE_DL_LIBS})

# As tests: 10 cuts in half a minute, a cut behind each system call in five seconds, all mutants in about a minute (cuts and
# mutants not under sanitizers or gcov: they look for other things).  They take the disk and the two cores.
add_test(NAME chaos.points COMMAND chaos_powercut --build ${PROJECT_BINARY_DIR} --points)
set(tests chaos.points)
if(NOT CMAKE_C_FLAGS MATCHES "fsanitize|coverage")
  add_test(NAME chaos.powercut COMMAND chaos_powercut --build ${PROJECT_BINARY_DIR} --cuts 10)
  list(APPEND tests chaos.powercut)
  add_test(NAME chaos.mutants COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/mutants/run --build ${PROJECT_BINARY_DIR})
  list(APPEND tests chaos.mutants)
endif()
# The rig is process 1 of its place, which no leak sanitizer can stop to look at; what it starts is killed, not ended.
set_tests_properties(${tests} PROPERTIES LABELS chaos RUN_SERIAL ON SKIP_RETURN_CODE 77 TIMEOUT 600
  ENVIRONMENT "LC_ALL=C;ASAN_OPTIONS=abort_on_error=1:detect_leaks=0;UBSAN_OPTIONS=print_stacktrace=1"
  FAIL_REGULAR_EXPRESSION "Sanitizer;runtime error:")
