# ember_library(NAME SOURCES … [CUDA_SOURCES …] [NO_CUDA_SOURCES …] [LINK …])  a static library
# ember_test(NAME SOURCES … [LINK …])       a GoogleTest binary, registered with CTest case by case
# ember_fuzz(NAME SOURCES … [LINK …])       a libFuzzer binary, where EMBER_FUZZ is on; NAME ends in
#                                           _fuzz, its seeds stand in ci/corpus/NAME
# ember_python_test(NAME SCRIPT PACKAGES ARGUMENTS…)  a Python test, see below
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

# A kernel whose registers spill, or that keeps an array in local memory, does not build: on every
# architecture that is built, and for every kernel, the slow plain forms included.
# ci/check_spills.sh tests that these flags do refuse one.
set(EMBER_NVCC_FLAGS -Werror=all-warnings -Xptxas=--warn-on-spills
    -Xptxas=--warn-on-local-memory-usage)

# Code that spends no time when it runs (commands, reports, tests) and much when it is compiled: a
# third of the build went into optimising it. `-O1` stands behind the configuration's own `-O3`.
set(EMBER_LIGHT_FLAGS "$<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:CXX>>:-O1>")

add_library(ember_flags INTERFACE)
target_include_directories(ember_flags INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>)
target_compile_options(ember_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Werror>
  $<$<COMPILE_LANGUAGE:CUDA>:${EMBER_NVCC_FLAGS} -Xcompiler=-Wall,-Wextra,-Werror -lineinfo>)
if(EMBER_SANITIZE)
  # -Wmaybe-uninitialized: under the sanitizers GCC suspects its own <regex>.
  target_compile_options(ember_flags INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=address,undefined -fno-sanitize-recover=all
    -fno-omit-frame-pointer -g>
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
  target_link_options(ember_flags INTERFACE -fsanitize=address,undefined)
endif()

if(EMBER_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "EMBER_FUZZ needs clang: configure with -DCMAKE_CXX_COMPILER=clang++")
  endif()
  # g++ is the compiler whose warnings count; clang's versions differ in theirs.
  target_compile_options(ember_flags INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wno-error -fsanitize=fuzzer-no-link>)
  add_custom_target(fuzz_targets)
endif()

function(ember_library name)
  cmake_parse_arguments(A "" "" "SOURCES;CUDA_SOURCES;NO_CUDA_SOURCES;LINK" ${ARGN})
  if(EMBER_WITH_CUDA)
    list(APPEND A_SOURCES ${A_CUDA_SOURCES})
  else()
    list(APPEND A_SOURCES ${A_NO_CUDA_SOURCES})
  endif()
  add_library(${name} STATIC ${A_SOURCES})
  target_link_libraries(${name} PUBLIC ${A_LINK} PRIVATE $<BUILD_INTERFACE:ember_flags>)
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>
                             $<INSTALL_INTERFACE:include/ember>)
  target_compile_features(${name} PUBLIC cxx_std_17)
  set_property(GLOBAL APPEND PROPERTY EMBER_LIBRARIES ${name})
endfunction()

function(ember_test name)
  cmake_parse_arguments(A "" "" "SOURCES;LINK" ${ARGN})
  if(NOT EMBER_TESTS)
    return()
  endif()
  include(GoogleTest)
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE ${A_LINK} ember_flags GTest::gtest GTest::gtest_main)
  target_compile_options(${name} PRIVATE ${EMBER_LIGHT_FLAGS})
  target_compile_definitions(${name} PRIVATE EMBER_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                             EMBER_BINARY="${CMAKE_BINARY_DIR}/ember")
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300)
endfunction()

function(ember_fuzz name)
  cmake_parse_arguments(A "" "" "SOURCES;LINK" ${ARGN})
  if(NOT EMBER_FUZZ)
    return()
  endif()
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE ${A_LINK} ember_flags -fsanitize=fuzzer)
  add_dependencies(fuzz_targets ${name})
endfunction()

# ember_python_test(NAME SCRIPT PACKAGES ARGUMENTS…)  a Python test under the first interpreter that
# has the packages; it skips itself where none has. COST, rough seconds, lets the long ones start first.
function(ember_python_test name script packages)
  if(NOT EMBER_TESTS)
    return()
  endif()
  find_package(Python3 COMPONENTS Interpreter)
  set(python ${Python3_EXECUTABLE})
  foreach(candidate ${Python3_EXECUTABLE} /usr/bin/python3)
    execute_process(COMMAND ${candidate} -c "import ${packages}" RESULT_VARIABLE missing
                    OUTPUT_QUIET ERROR_QUIET)
    if(missing EQUAL 0)
      set(python ${candidate})
      break()
    endif()
  endforeach()
  if(NOT python)
    message(WARNING "No Python 3: ${name} is left out.")
    return()
  endif()
  add_test(NAME ${name} COMMAND ${python} ${CMAKE_CURRENT_SOURCE_DIR}/${script} ${ARGN})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600 COST 20)
endfunction()
