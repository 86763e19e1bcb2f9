# System libraries. docs/dependencies.md says what each is for and which package brings it.
find_package(Threads REQUIRED)
find_package(nlohmann_json 3.9 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(OpenBLASHeaders REQUIRED)
find_package(LibEdit REQUIRED)
if(EMBER_TESTS)
  find_package(GTest REQUIRED)
endif()
