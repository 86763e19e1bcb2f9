# ember_isa_sources(TARGET SOURCES…)  compiles the sources once for every instruction set level and
# adds the objects to TARGET. Each pass sees EMBER_ISA (plain, avx2 or avx512) and puts all that it
# defines into the namespace of that name, so that no inline function compiled for a newer CPU can
# be linked into code that runs on an older one. kernels/common/isa.h picks at run time.
set(EMBER_ISA_LEVELS plain)
set(EMBER_ISA_FLAGS_plain "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND EMBER_ISA_LEVELS avx2 avx512)
  set(EMBER_ISA_FLAGS_avx2 -mavx2 -mfma -mf16c)
  set(EMBER_ISA_FLAGS_avx512 ${EMBER_ISA_FLAGS_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl)
endif()

function(ember_isa_sources target)
  foreach(isa ${EMBER_ISA_LEVELS})
    set(objects ${target}_${isa})
    add_library(${objects} OBJECT ${ARGN})
    target_compile_definitions(${objects} PRIVATE EMBER_ISA=${isa})
    target_compile_options(${objects} PRIVATE ${EMBER_ISA_FLAGS_${isa}} -ffp-contract=fast)
    target_link_libraries(${objects} PRIVATE $<BUILD_INTERFACE:ember_flags>)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
  endforeach()
endfunction()
