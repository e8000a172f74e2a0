# One row a platform, with every name it has in the worlds that meet here. Nothing else names a
# platform; docs/platforms.md says what a new row needs.
#
#   builds     the flake has packages that are built on such a machine
#   cflags     what clang must be told beside the target, to agree with how Debian compiled its libraries
#   cmake, meson, endian  what CMake and Meson call its processor, and the order of its bytes
#   default    its image is in `.#image`, and not just in `.#image-all`
#   ldflags    what every program is linked with
#   reference  on one row: what `lib` has without the name of a system is built on this machine
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
    gnu = "aarch64-linux-gnu";
    interpreter = "ld-linux-aarch64.so.1";
    ldflags = [];
    meson = "aarch64";
    nix = "aarch64-linux";
    oci = "linux/arm64";
    qemu = "qemu-aarch64";
    rust = "aarch64-unknown-linux-gnu";
  };

  armv7 = {
    binfmt = "qemu-arm";
    builds = false;
    # Debian's compiler has 64 bits for time and files built in, and its libraries' interfaces have them.
    cflags = ["-march=armv7-a" "-mfpu=vfpv3-d16" "-mfloat-abi=hard" "-D_FILE_OFFSET_BITS=64" "-D_TIME_BITS=64"];
    cmake = "armv7l";
    debian = "armhf";
    default = false;
    elfMachine = "ARM";
    endian = "little";
    gnu = "arm-linux-gnueabihf";
    interpreter = "ld-linux-armhf.so.3";
    ldflags = [];
    meson = "arm";
    nix = "armv7l-linux";
    oci = "linux/arm/v7";
    qemu = "qemu-arm";
    rust = "armv7-unknown-linux-gnueabihf";
  };

  i686 = {
    binfmt = "qemu-i386";
    builds = false;
    # Debian asks for SSE2 of these processors since trixie, and so does Rust.
    cflags = ["-march=pentium4"];
    cmake = "i686";
    debian = "i386";
    default = false;
    elfMachine = "Intel 80386";
    endian = "little";
    gnu = "i386-linux-gnu";
    interpreter = "ld-linux.so.2";
    # 64-bit values are aligned to 4 bytes here, and clang leaves atomic access to such to a library. It
    # is linked statically, and only by who needs it.
    ldflags = ["-latomic"];
    meson = "x86";
    nix = "i686-linux";
    oci = "linux/386";
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
    gnu = "powerpc64le-linux-gnu";
    interpreter = "ld64.so.2";
    ldflags = [];
    meson = "ppc64";
    nix = "powerpc64le-linux";
    oci = "linux/ppc64le";
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
    gnu = "riscv64-linux-gnu";
    interpreter = "ld-linux-riscv64-lp64d.so.1";
    ldflags = [];
    meson = "riscv64";
    nix = "riscv64-linux";
    oci = "linux/riscv64";
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
    gnu = "s390x-linux-gnu";
    interpreter = "ld64.so.1";
    ldflags = [];
    meson = "s390x";
    nix = "s390x-linux";
    oci = "linux/s390x";
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
    gnu = "x86_64-linux-gnu";
    interpreter = "ld-linux-x86-64.so.2";
    ldflags = [];
    meson = "x86_64";
    nix = "x86_64-linux";
    oci = "linux/amd64";
    qemu = "qemu-x86_64";
    reference = true;
    rust = "x86_64-unknown-linux-gnu";
  };
}
