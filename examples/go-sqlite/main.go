// Counts rows with SQLite, whose C sources the module go-sqlite3 brings and cgo compiles.
package main

import (
	"database/sql"
	"fmt"
	"log"

	_ "github.com/mattn/go-sqlite3"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	database, err := sql.Open("sqlite3", ":memory:")
	if err != nil {
		return err
	}
	defer database.Close()
	var rows, sum int
	const query = `
		WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000)
		SELECT count(*), sum(n) FROM numbers`
	if err := database.QueryRow(query).Scan(&rows, &sum); err != nil {
		return err
	}
	fmt.Printf("%d rows, sum %d\n", rows, sum)
	return nil
}
