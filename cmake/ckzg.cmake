# c-kzg-4844 with blst, fetched by scripts/setup into build/deps; without it blob transactions are neither fetched nor served.
set(MR_CKZG_DIR "${PROJECT_SOURCE_DIR}/build/deps/c-kzg/package/deps" CACHE PATH "sources of c-kzg and blst")
add_library(mr_lib_ckzg INTERFACE)
