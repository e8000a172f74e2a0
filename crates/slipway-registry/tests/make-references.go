// Prints references with what github.com/distribution/reference, the parser of Docker and containerd, makes of them:
// in a module that requires it, go run make-references.go >references.txt
package main

import (
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"
	"math/rand"

	"github.com/distribution/reference"
)

// Each with what is odd after it.
var hosts = []string{"docker.io", "localhost", "host.example", "host.example:5000", "[::1]:5000", "127.0.0.1:80", "index.docker.io", "a",
	"HOST.example", "Host", "host:99999", "host:", "[::1]", "[fe80::1%25eth0]", "host_x.example", "-host.example", "a..b"}
var parts = []string{"a", "app", "my-app", "my_app", "my__app", "a.b", "0", "team", "library", "my--app",
	"App", "my___app", "a..b", "-a", "a-", "ä", ""}
var ends = []string{"", "", ":v1", ":V1.0_x-y", ":", ":-x", ":.x", ":" + long(128), ":" + long(129), "@sha256:" + hex(64), "@sha256:" + hex(63), "@sha512:" + hex(128), ":v1@sha256:" + hex(64), "@md5:" + hex(32), "@"}

func long(n int) string {
	s := ""
	for i := 0; i < n; i++ {
		s += "x"
	}
	return s
}

func hex(n int) string {
	s := ""
	for i := 0; i < n; i++ {
		s += string("0123456789abcdef"[i%16])
	}
	return s
}

func main() {
	random := rand.New(rand.NewSource(1))
	seen := map[string]bool{}
	for len(seen) < 1500 {
		some := func(list []string, good int) string {
			if random.Intn(8) > 0 {
				list = list[:good]
			}
			return list[random.Intn(len(list))]
		}
		text := some(parts, 10)
		if random.Intn(2) > 0 {
			text = some(hosts, 8) + "/" + text
		}
		for n := random.Intn(3); n > 0; n-- {
			text += "/" + some(parts, 10)
		}
		text += ends[random.Intn(len(ends))]
		if text == "" || seen[text] {
			continue
		}
		seen[text] = true
		named, err := reference.ParseNormalizedNamed(text)
		if err != nil {
			fmt.Printf("%s\t-\n", text)
			continue
		}
		fmt.Printf("%s\t%s\n", text, reference.TagNameOnly(named).String())
	}
}
