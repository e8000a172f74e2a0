// Prints what Go and C know of the platform. C is compiled with cgo.
package main

/*
#include <limits.h>
#include <stdint.h>

static int is_little_endian(void) {
	uint16_t number = 1;
	return *(uint8_t *)&number;
}

static int bits(void) {
	return sizeof(long) * CHAR_BIT;
}
*/
import "C"

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"runtime"
)

func main() {
	endian := "big"
	if C.is_little_endian() == 1 {
		endian = "little"
	}
	number := binary.NativeEndian.Uint16([]byte{1, 0})
	fmt.Println(runtime.GOARCH, endian, number == 1, int(C.bits()) == bits.UintSize)
}
