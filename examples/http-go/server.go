// SPDX-License-Identifier: Apache-2.0

// An HTTP server on port 8080, of Go's standard library.
package main

import (
	"fmt"
	"log"
	"net/http"
)

func main() {
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(answer, "Hello from Go")
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
