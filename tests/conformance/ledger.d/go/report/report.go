// Package report counts checks and prints one line for each; the script beside it adds them up.
package report

import (
	"fmt"
	"os"
)

var failed bool

// Accepts says that the tool must have had nothing against it.
func Accepts(name string, err error) {
	if err != nil {
		failed = true
		fmt.Printf("FAIL %s: refused: %s\n", name, short(err))
		return
	}
	fmt.Printf("ok %s\n", name)
}

// Refuses says that the tool must have found the tampering.
func Refuses(name string, err error) {
	if err == nil {
		failed = true
		fmt.Printf("FAIL %s: accepted what was tampered with\n", name)
		return
	}
	fmt.Printf("ok %s\n", name)
}

// short is the beginning of an error on one line: some tools print whole tiles.
func short(err error) string {
	return fmt.Sprintf("%.200q", err.Error())
}

// Must stops when the check itself cannot go on.
func Must(err error) {
	if err != nil {
		fmt.Printf("FAIL set-up: %v\n", err)
		os.Exit(1)
	}
}

// Exit ends the program: 1 when a check failed.
func Exit() {
	if failed {
		os.Exit(1)
	}
}
