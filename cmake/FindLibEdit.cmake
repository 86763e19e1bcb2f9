# Defines the imported target ember_libedit (libedit with its histedit.h).
find_library(LIBEDIT_LIBRARY NAMES edit)
find_path(LIBEDIT_INCLUDE_DIR NAMES histedit.h)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibEdit REQUIRED_VARS LIBEDIT_LIBRARY LIBEDIT_INCLUDE_DIR)
if(NOT TARGET ember_libedit)
  add_library(ember_libedit UNKNOWN IMPORTED)
  set_target_properties(ember_libedit PROPERTIES IMPORTED_LOCATION ${LIBEDIT_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${LIBEDIT_INCLUDE_DIR})
endif()
