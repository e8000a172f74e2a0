# One row a platform, with every name it has in the worlds that meet here. Nothing else names a
# platform; docs/platforms.md says what a new row needs.
#
#   builds     the flake has packages that are built on such a machine
#   cflags     what clang must be told beside the target, to agree with how Debian compiled its libraries
#   default    its image is in `.#image`, and not just in `.#image-all`
#   ldflags    what every program is linked with
#   reference  on one row: what `lib` has without the name of a system is built on this machine
{
  aarch64 = {
    binfmt = "qemu-aarch64";
    builds = true;
    cflags = [];
    debian = "arm64";
    default = true;
    elfMachine = "AArch64";
    gnu = "aarch64-linux-gnu";
    interpreter = "ld-linux-aarch64.so.1";
    ldflags = [];
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
    debian = "armhf";
    default = false;
    elfMachine = "ARM";
    gnu = "arm-linux-gnueabihf";
    interpreter = "ld-linux-armhf.so.3";
    ldflags = [];
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
    debian = "i386";
    default = false;
    elfMachine = "Intel 80386";
    gnu = "i386-linux-gnu";
    interpreter = "ld-linux.so.2";
    # 64-bit values are aligned to 4 bytes here, and clang leaves atomic access to such to a library. It
    # is linked statically, and only by who needs it.
    ldflags = ["-latomic"];
    nix = "i686-linux";
    oci = "linux/386";
    qemu = "qemu-i386";
    rust = "i686-unknown-linux-gnu";
  };

  ppc64le = {
    binfmt = "qemu-ppc64le";
    builds = false;
    cflags = [];
    debian = "ppc64el";
    default = false;
    elfMachine = "PowerPC64";
    gnu = "powerpc64le-linux-gnu";
    interpreter = "ld64.so.2";
    ldflags = [];
    nix = "powerpc64le-linux";
    oci = "linux/ppc64le";
    qemu = "qemu-ppc64le";
    rust = "powerpc64le-unknown-linux-gnu";
  };

  riscv64 = {
    binfmt = "qemu-riscv64";
    builds = false;
    cflags = [];
    debian = "riscv64";
    default = false;
    elfMachine = "RISC-V";
    gnu = "riscv64-linux-gnu";
    interpreter = "ld-linux-riscv64-lp64d.so.1";
    ldflags = [];
    nix = "riscv64-linux";
    oci = "linux/riscv64";
    qemu = "qemu-riscv64";
    rust = "riscv64gc-unknown-linux-gnu";
  };

  s390x = {
    binfmt = "qemu-s390x";
    builds = false;
    cflags = [];
    debian = "s390x";
    default = false;
    elfMachine = "IBM S/390";
    gnu = "s390x-linux-gnu";
    interpreter = "ld64.so.1";
    ldflags = [];
    nix = "s390x-linux";
    oci = "linux/s390x";
    qemu = "qemu-s390x";
    rust = "s390x-unknown-linux-gnu";
  };

  x86_64 = {
    binfmt = "qemu-x86_64";
    builds = true;
    cflags = [];
    debian = "amd64";
    default = true;
    elfMachine = "Advanced Micro Devices X86-64";
    gnu = "x86_64-linux-gnu";
    interpreter = "ld-linux-x86-64.so.2";
    ldflags = [];
    nix = "x86_64-linux";
    oci = "linux/amd64";
    qemu = "qemu-x86_64";
    reference = true;
    rust = "x86_64-unknown-linux-gnu";
  };
}
