# c-kzg-4844 with blst, fetched by scripts/setup into build/deps; without it blob transactions are neither fetched nor served.
# Users see <ckzg.h>, MR_HAVE_KZG, and the trusted setup's text:
#     extern const unsigned char mr_trusted_setup[]; extern const size_t mr_trusted_setup_size;
set(MR_CKZG_DIR "${PROJECT_SOURCE_DIR}/build/deps/c-kzg/package/deps" CACHE PATH "sources of c-kzg and blst")
add_library(mr_lib_ckzg INTERFACE)

if(EXISTS ${MR_CKZG_DIR}/c-kzg/ckzg.c)
    set(setup ${MR_CKZG_DIR}/c-kzg/trusted_setup.txt)
    configure_file(${PROJECT_SOURCE_DIR}/cmake/trusted_setup.S.in ${PROJECT_BINARY_DIR}/generated/trusted_setup.S @ONLY)
    add_library(mr_ckzg STATIC
        ${MR_CKZG_DIR}/c-kzg/ckzg.c
        ${MR_CKZG_DIR}/blst/src/server.c
        ${MR_CKZG_DIR}/blst/build/assembly.S
        ${PROJECT_BINARY_DIR}/generated/trusted_setup.S)
    set_source_files_properties(${PROJECT_BINARY_DIR}/generated/trusted_setup.S PROPERTIES OBJECT_DEPENDS ${setup})
    # Not our code: no warnings, its own flags, neither sanitizers nor LTO; BLST_PORTABLE chooses its kernels at run time.
    set_target_properties(mr_ckzg PROPERTIES C_STANDARD 11 C_CLANG_TIDY "" POSITION_INDEPENDENT_CODE ON
        INTERPROCEDURAL_OPTIMIZATION OFF)
    target_compile_definitions(mr_ckzg PRIVATE __BLST_PORTABLE__)
    target_compile_options(mr_ckzg PRIVATE -O2 -w)
    target_include_directories(mr_ckzg SYSTEM PUBLIC ${MR_CKZG_DIR}/c-kzg ${MR_CKZG_DIR}/blst/bindings)
    target_link_libraries(mr_lib_ckzg INTERFACE mr_ckzg)
    target_compile_definitions(mr_lib_ckzg INTERFACE MR_HAVE_KZG=1)
else()
    message(STATUS "c-kzg is not in ${MR_CKZG_DIR}: building without blob proofs (scripts/setup fetches it)")
endif()
