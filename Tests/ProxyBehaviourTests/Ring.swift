import Glibc

/// `Scripts/vm/run` sets it; that ring fails when it ran nothing.
let isVirtualMachineRing = getenv("SWIFTLET_TEST_RING").map { String(cString: $0) } == "vm"
