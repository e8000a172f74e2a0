# Returns a derivation with CMake. In nativeBuildInputs, it sets a toolchain file
# (https://cmake.org/cmake/help/v3.31/manual/cmake-toolchains.7.html) and the configure, build and install
# phases. The generator is Ninja, because CMake's makefiles require /bin/sh.
{
  # derivation: static bash and busybox in bin/ (toolchain/bootstrap.nix)
  bootstrap,
  # the build machine's row of platforms.nix
  buildPlatform,
  # derivation: the target's compiler (cxx.nix)
  cxx,
  # attribute set: Debian packages for the build machine, by name
  debs,
  # derivation: Ninja, from sh-shim.nix
  ninja,
  # the target's row of platforms.nix
  platform,
  # string: system of the build machine, such as "x86_64-linux"
  system,
}: let
  # CMake cross-compiles if CMAKE_SYSTEM_NAME is set.
  crossing =
    if platform == buildPlatform
    then ""
    else
      ''
        set(CMAKE_SYSTEM_NAME ${
          {
            darwin = "Darwin";
            linux = "Linux";
            windows = "Windows";
          }
          .${platform.os or "linux"}
        })
        set(CMAKE_SYSTEM_PROCESSOR ${platform.cmake})
      ''
      + (
        if platform.os or "linux" == "darwin"
        then "set(CMAKE_OSX_SYSROOT ${cxx.sysroot})"
        else ""
      );
  toolchainFile = derivation {
    inherit system;
    PATH = "${bootstrap}/bin";
    name = "${platform.gnu}.cmake";
    args = ["-c" ''printf '%s' "$text" >"$out"''];
    builder = "${bootstrap}/bin/bash";
    # CMake searches libraries and headers in buildInputs, the sysroot, the build directory and the output.
    # It searches programs on PATH.
    text = ''
      ${crossing}
      set(CMAKE_C_COMPILER ${platform.gnu}-cc)
      set(CMAKE_CXX_COMPILER ${platform.gnu}-c++)
      # For link-time optimization.
      foreach(language C CXX)
        find_program(CMAKE_''${language}_COMPILER_AR ${platform.gnu}-ar)
        find_program(CMAKE_''${language}_COMPILER_RANLIB ${platform.gnu}-ranlib)
      endforeach()
      set(CMAKE_LIBRARY_ARCHITECTURE ${platform.gnu})
      string(REPLACE " " ";" CMAKE_FIND_ROOT_PATH "$ENV{buildInputs} ${cxx.sysroot} $ENV{NIX_BUILD_TOP} $ENV{out}")
      set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
      set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
      set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
      set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
    '';
  };

  # CMake finds its modules relative to its executable, so the executable is copied.
  cmake = derivation {
    inherit system;
    PATH = "${bootstrap}/bin";
    name = "cmake-3.31";
    args = [
      "-e"
      "-c"
      ''
        mkdir -p "$out/bin"
        cp ${debs.cmake}/bin/cmake ${debs.cmake}/bin/ctest "$out/bin"
        ln -s ${ninja}/bin/ninja "$out/bin"
        ln -s ${debs.cmake-data}/share "$out/share"
      ''
    ];
    builder = "${bootstrap}/bin/bash";
  };
in
  cmake
  // {
    hook = _: {
      CMAKE_GENERATOR = "Ninja";
      CMAKE_TOOLCHAIN_FILE = toolchainFile;
      configurePhase = ''
        patchShebangs .
        cmake -S . -B build -DBUILD_TESTING=OFF -DCMAKE_BUILD_TYPE=Release \
          -DCMAKE_INSTALL_PREFIX="$out" -DCMAKE_INSTALL_LIBDIR=lib $cmakeFlags
        cd build
      '';
      buildPhase = ''cmake --build . --parallel "$NIX_BUILD_CORES"'';
      installPhase = "cmake --install .";
    };
  }
