# Defines ember_engine, which is every library up to engine/runtime behind one name (ember::ember to
# other projects), and installs it as the package `ember` beside the binary:
#   find_package(ember REQUIRED)
#   target_link_libraries(app PRIVATE ember::ember)
# The command line, the suites and the golden checks are no part of it.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

add_library(ember_engine INTERFACE)
set_target_properties(ember_engine PROPERTIES EXPORT_NAME ember)
add_library(ember::ember ALIAS ember_engine)

get_property(libraries GLOBAL PROPERTY EMBER_LIBRARIES)
set(package_libraries ember_engine)
foreach(library ${libraries})
  get_target_property(folder ${library} SOURCE_DIR)
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${folder})
  if(folder MATCHES "^(kernels(/[^/]+)?|engine/(core|io|text|model|backend|runtime))$")
    target_link_libraries(ember_engine INTERFACE ${library})
    list(APPEND package_libraries ${library})
  endif()
endforeach()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ember)
install(TARGETS ember RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS ${package_libraries} EXPORT ember
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT ember NAMESPACE ember:: FILE emberTargets.cmake DESTINATION ${package_dir})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/kernels ${CMAKE_SOURCE_DIR}/engine
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ember
        FILES_MATCHING PATTERN "*.h"
        PATTERN "*_cases.h" EXCLUDE
        PATTERN "*testing.h" EXCLUDE
        PATTERN "bad_files" EXCLUDE
        PATTERN "cli" EXCLUDE)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

configure_package_config_file(cmake/emberConfig.cmake.in ${CMAKE_BINARY_DIR}/emberConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
# 0.x: a new minor version may break.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/emberConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/emberConfig.cmake ${CMAKE_BINARY_DIR}/emberConfigVersion.cmake
              ${CMAKE_SOURCE_DIR}/cmake/FindOpenBLASHeaders.cmake
        DESTINATION ${package_dir})
