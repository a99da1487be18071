# Flags that every target of the project is built with. Warnings are errors.
add_library(purser_flags INTERFACE)
target_include_directories(purser_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(purser_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror
  -Wno-missing-field-initializers  # designated initialisers leave members at their defaults on purpose
  -fstack-protector-strong)
target_link_options(purser_flags INTERFACE -Wl,-z,relro,-z,now -Wl,--as-needed)

if(PURSER_SANITIZE)
  target_compile_options(purser_flags INTERFACE -fsanitize=${PURSER_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(purser_flags INTERFACE -fsanitize=${PURSER_SANITIZE})
  target_compile_definitions(purser_flags INTERFACE PURSER_SANITIZED)
else()
  target_compile_options(purser_flags INTERFACE $<$<CONFIG:Release,RelWithDebInfo>:-D_FORTIFY_SOURCE=2>)
endif()
if(PURSER_FUZZ)
  target_compile_options(purser_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# purser_box(<name> SOURCES … LIBS …): one static library per box of the design.
function(purser_box name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC purser_flags ${ARG_LIBS})
endfunction()

# purser_executable(<name> SOURCES … LIBS …)
function(purser_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE purser_flags ${ARG_LIBS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# purser_test(<name> SOURCES … LIBS …): a doctest executable, run by ctest.
function(purser_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES} $<TARGET_OBJECTS:purser_test_main>)
  target_link_libraries(${name} PRIVATE purser_flags ${ARG_LIBS} PkgConfig::SODIUM)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
  add_test(NAME ${name} COMMAND ${name})
endfunction()

# purser_fuzz(<name> SOURCES … LIBS …): a libFuzzer target; its corpus is test/fuzz/corpus/<name>.
# Without PURSER_FUZZ the same file is built with a main() that replays the corpus, and is a test.
function(purser_fuzz name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  set(corpus ${CMAKE_SOURCE_DIR}/test/fuzz/corpus/${name})
  if(PURSER_FUZZ)
    add_executable(fuzz_${name} ${ARG_SOURCES})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(fuzz_${name} ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/test/fuzz/replay_main.cc)
    add_test(NAME fuzz_${name}_corpus COMMAND fuzz_${name} ${corpus})
  endif()
  target_link_libraries(fuzz_${name} PRIVATE purser_flags ${ARG_LIBS} PkgConfig::SODIUM)
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endfunction()
