# project_options: what every target of ours is compiled with.  Warnings are errors in the presets only, so that a
# newer compiler's new warning does not keep a user from building a release.
add_library(project_options INTERFACE)
target_compile_features(project_options INTERFACE c_std_17)
target_compile_definitions(project_options INTERFACE _GNU_SOURCE HOIST_VERSION="${PROJECT_VERSION}")
target_include_directories(project_options INTERFACE ${HOIST_CODE} ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
target_compile_options(project_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
  $<$<C_COMPILER_ID:Clang>:-Wno-gnu-statement-expression> -fno-omit-frame-pointer)
# Criterion's macros trip -Wconversion: ours is compiled with it, the tests are not.
add_library(project_strict INTERFACE)
target_link_libraries(project_strict INTERFACE project_options)
target_compile_options(project_strict INTERFACE -Wconversion)
if(CMAKE_BUILD_TYPE MATCHES "Rel" AND NOT CMAKE_C_FLAGS MATCHES "fsanitize")
  target_compile_options(project_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong)
  target_link_options(project_options INTERFACE -Wl,-z,relro,-z,now)
endif()
include(CheckPIESupported)
check_pie_supported()
