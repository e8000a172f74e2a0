// Prints names in the order of a Swedish dictionary. It is written in Go alone, without C.
package main

import (
	_ "embed"
	"fmt"
	"strings"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

//go:embed names.txt
var names string

func main() {
	list := strings.Fields(names)
	collate.New(language.Swedish).SortStrings(list)
	fmt.Println(strings.Join(list, " "))
}
