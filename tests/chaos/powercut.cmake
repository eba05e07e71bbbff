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
