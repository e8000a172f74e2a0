# The table of platforms. Each row has all names of one platform. All other files take the names from this
# table; docs/platforms.md explains how to add a row.
#
#   binfmt       string: name of the platform's binfmt_misc handler
#   builds       bool: whether the flake has packages that are built on such a machine
#   cflags       list of strings: flags of clang, besides --target, for compatibility with Debian's libraries
#   cmake        string: CMAKE_SYSTEM_PROCESSOR of CMake, and `cpu` of Meson
#   debian       string: Debian architecture
#   default      bool: whether `.#image` includes the platform; `.#image-all` includes all
#   elfMachine   string: machine of the ELF header, as readelf prints it
#   endian       string: byte order, "little" or "big"
#   go           attribute set of strings: environment variables with which Go compiles for the platform
#   glibc        string: the oldest version of glibc that has what Debian's headers use, if it is newer than 2.28
#   gnu          string: GNU triplet, which is also Debian's multiarch directory
#   interpreter  string: file name of the loader
#   ldflags      list of strings: flags with which every program is linked
#   loader       string: path of the loader on the systems of distributions
#   meson        string: `cpu_family` of Meson
#   nix          string: system of Nix
#   oci          string: platform of the OCI image specification, OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT
#   pageSize     integer: largest page size, in bytes, of kernels for the platform
#   qemu         string: QEMU's program for user-mode emulation
#   reference    bool: set in one row. `lib` without a system builds on this platform.
#   rust         string: target triple of Rust
{
  aarch64 = {
    binfmt = "qemu-aarch64";
    builds = true;
    cflags = [];
    cmake = "aarch64";
    debian = "arm64";
    default = true;
    elfMachine = "AArch64";
    endian = "little";
    go = {GOARCH = "arm64";};
    gnu = "aarch64-linux-gnu";
    interpreter = "ld-linux-aarch64.so.1";
    ldflags = [];
    loader = "/lib/ld-linux-aarch64.so.1";
    meson = "aarch64";
    nix = "aarch64-linux";
    oci = "linux/arm64";
    pageSize = 65536;
    qemu = "qemu-aarch64";
    rust = "aarch64-unknown-linux-gnu";
  };

  armv7 = {
    binfmt = "qemu-arm";
    builds = false;
    # Debian's compiler defines 64-bit time_t and off_t by default, and its libraries use them in their ABI.
    cflags = ["-march=armv7-a" "-mfpu=vfpv3-d16" "-mfloat-abi=hard" "-D_FILE_OFFSET_BITS=64" "-D_TIME_BITS=64"];
    cmake = "armv7l";
    debian = "armhf";
    default = false;
    elfMachine = "ARM";
    endian = "little";
    go = {
      GOARCH = "arm";
      GOARM = "7";
    };
    # the first with functions for a 64-bit time_t
    glibc = "2.34";
    gnu = "arm-linux-gnueabihf";
    interpreter = "ld-linux-armhf.so.3";
    ldflags = [];
    loader = "/lib/ld-linux-armhf.so.3";
    meson = "arm";
    nix = "armv7l-linux";
    oci = "linux/arm/v7";
    pageSize = 4096;
    qemu = "qemu-arm";
    rust = "armv7-unknown-linux-gnueabihf";
  };

  i686 = {
    binfmt = "qemu-i386";
    builds = false;
    # Debian requires SSE2 on i386 since trixie, and so does Rust.
    cflags = ["-march=pentium4"];
    cmake = "i686";
    debian = "i386";
    default = false;
    elfMachine = "Intel 80386";
    endian = "little";
    go = {
      GO386 = "sse2";
      GOARCH = "386";
    };
    gnu = "i386-linux-gnu";
    interpreter = "ld-linux.so.2";
    # i386 aligns 64-bit values to 4 bytes, and clang calls libatomic for atomic access to these. The library
    # is linked statically, and only if a program uses it.
    ldflags = ["-latomic"];
    loader = "/lib/ld-linux.so.2";
    meson = "x86";
    nix = "i686-linux";
    oci = "linux/386";
    pageSize = 4096;
    qemu = "qemu-i386";
    rust = "i686-unknown-linux-gnu";
  };

  ppc64le = {
    binfmt = "qemu-ppc64le";
    builds = false;
    cflags = [];
    cmake = "ppc64le";
    debian = "ppc64el";
    default = false;
    elfMachine = "PowerPC64";
    endian = "little";
    go = {GOARCH = "ppc64le";};
    gnu = "powerpc64le-linux-gnu";
    interpreter = "ld64.so.2";
    ldflags = [];
    loader = "/lib64/ld64.so.2";
    meson = "ppc64";
    nix = "powerpc64le-linux";
    oci = "linux/ppc64le";
    pageSize = 65536;
    qemu = "qemu-ppc64le";
    rust = "powerpc64le-unknown-linux-gnu";
  };

  riscv64 = {
    binfmt = "qemu-riscv64";
    builds = false;
    cflags = [];
    cmake = "riscv64";
    debian = "riscv64";
    default = false;
    elfMachine = "RISC-V";
    endian = "little";
    go = {GOARCH = "riscv64";};
    gnu = "riscv64-linux-gnu";
    interpreter = "ld-linux-riscv64-lp64d.so.1";
    ldflags = [];
    loader = "/lib/ld-linux-riscv64-lp64d.so.1";
    meson = "riscv64";
    nix = "riscv64-linux";
    oci = "linux/riscv64";
    pageSize = 4096;
    qemu = "qemu-riscv64";
    rust = "riscv64gc-unknown-linux-gnu";
  };

  s390x = {
    binfmt = "qemu-s390x";
    builds = false;
    cflags = [];
    cmake = "s390x";
    debian = "s390x";
    default = false;
    elfMachine = "IBM S/390";
    endian = "big";
    go = {GOARCH = "s390x";};
    gnu = "s390x-linux-gnu";
    interpreter = "ld64.so.1";
    ldflags = [];
    loader = "/lib/ld64.so.1";
    meson = "s390x";
    nix = "s390x-linux";
    oci = "linux/s390x";
    pageSize = 4096;
    qemu = "qemu-s390x";
    rust = "s390x-unknown-linux-gnu";
  };

  x86_64 = {
    binfmt = "qemu-x86_64";
    builds = true;
    cflags = [];
    cmake = "x86_64";
    debian = "amd64";
    default = true;
    elfMachine = "Advanced Micro Devices X86-64";
    endian = "little";
    go = {GOARCH = "amd64";};
    gnu = "x86_64-linux-gnu";
    interpreter = "ld-linux-x86-64.so.2";
    ldflags = [];
    loader = "/lib64/ld-linux-x86-64.so.2";
    meson = "x86_64";
    nix = "x86_64-linux";
    oci = "linux/amd64";
    pageSize = 4096;
    qemu = "qemu-x86_64";
    reference = true;
    rust = "x86_64-unknown-linux-gnu";
  };
}
