# Defines the imported target ember_openblas (libopenblas with its cblas.h).
find_library(OPENBLAS_LIBRARY NAMES openblas)
find_path(OPENBLAS_INCLUDE_DIR NAMES openblas_config.h
          PATH_SUFFIXES openblas x86_64-linux-gnu aarch64-linux-gnu openblas-pthread
                        x86_64-linux-gnu/openblas-pthread aarch64-linux-gnu/openblas-pthread)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenBLASHeaders REQUIRED_VARS OPENBLAS_LIBRARY
                                  OPENBLAS_INCLUDE_DIR)
if(NOT TARGET ember_openblas)
  add_library(ember_openblas UNKNOWN IMPORTED)
  set_target_properties(ember_openblas PROPERTIES IMPORTED_LOCATION ${OPENBLAS_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${OPENBLAS_INCLUDE_DIR})
endif()
