# One row a platform, with every name it has in the worlds that meet here.
{
  aarch64 = {
    binfmt = "qemu-aarch64";
    cmake = "aarch64";
    debian = "arm64";
    elfMachine = "AArch64";
    endian = "little";
    gnu = "aarch64-linux-gnu";
    interpreter = "ld-linux-aarch64.so.1";
    meson = "aarch64";
    nix = "aarch64-linux";
    oci = "linux/arm64";
    qemu = "qemu-aarch64";
    rust = "aarch64-unknown-linux-gnu";
  };

  x86_64 = {
    binfmt = "qemu-x86_64";
    cmake = "x86_64";
    debian = "amd64";
    elfMachine = "Advanced Micro Devices X86-64";
    endian = "little";
    gnu = "x86_64-linux-gnu";
    interpreter = "ld-linux-x86-64.so.2";
    meson = "x86_64";
    nix = "x86_64-linux";
    oci = "linux/amd64";
    qemu = "qemu-x86_64";
    rust = "x86_64-unknown-linux-gnu";
  };
}
