// Command witness puts our requests before a witness of `tlog-witness`: `witness DIR` before transparency-dev's, run in
// this process behind its own HTTP handler; `witness DIR URL VKEYFILE` before the one at that address, which must
// know the log of `DIR/log.vkey` and have cosigned nothing of it yet.
//
// Checkpoints with the witness's line are left in `DIR/foreign`, its key in `DIR/foreign.vkey`, for our own reader.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/witness/persistence/inmemory"
	"github.com/transparency-dev/witness/witness"
	"golang.org/x/mod/sumdb/note"
)

var failed bool

func main() {
	if len(os.Args) != 2 && len(os.Args) != 4 {
		fmt.Println("FAIL usage: witness DIR [URL VKEYFILE]")
		os.Exit(2)
	}
	dir := os.Args[1]
	door := door{name: "witness", strict: false}
	if len(os.Args) == 4 {
		door.url, door.name, door.strict = strings.TrimSuffix(os.Args[2], "/"), os.Args[2], true
		door.vkey = strings.TrimSpace(string(read(os.Args[3])))
	} else {
		vkey, address, stop := foreign(dir)
		defer stop()
		door.url, door.vkey = address, vkey
	}
	door.try(dir)
	if failed {
		os.Exit(1)
	}
}

// foreign starts transparency-dev's witness, which knows our log.
func foreign(dir string) (string, string, func()) {
	secret, vkey, err := note.GenerateKey(rand.Reader, "witness.example/foreign")
	must(err)
	signer, err := f_note.NewSignerForCosignatureV1(secret)
	must(err)
	cosigning, err := f_note.VKeyToCosignatureV1(vkey)
	must(err)
	log, err := note.NewVerifier(strings.TrimSpace(string(read(filepath.Join(dir, "log.vkey")))))
	must(err)
	w, err := witness.New(context.Background(), witness.Opts{
		Persistence: inmemory.New(),
		Signers:     []note.Signer{signer},
		VerifierForLog: func(_ context.Context, origin string) (note.Verifier, bool, error) {
			return log, origin == log.Name(), nil
		},
	})
	must(err)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", witness.NewHTTPHandler(w).AddCheckpoint)
	server := httptest.NewServer(mux)
	return cosigning, server.URL, server.Close
}

type door struct {
	name, url, vkey string
	// strict asks for the very status of the specification. transparency-dev's witness answers 500 for a bad
	// signature, where the specification says 403.
	strict bool
}

func (d door) try(dir string) {
	body := func(name string) []byte { return read(filepath.Join(dir, "bodies", name)) }
	must(os.MkdirAll(filepath.Join(dir, "foreign"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "foreign.vkey"), []byte(d.vkey+"\n"), 0o644))

	first := body("1-accept-255")
	d.refuses("an unknown origin", bytes.Replace(first, []byte("agency-a"), []byte("agency-x"), 2), 404)
	d.refuses("an altered log signature", altered(first, len(first)-30), 403)
	d.refuses("a checkpoint altered under its signature", altered(first, bytes.Index(first, []byte("\n255\n"))+1), 403)
	d.accepts(dir, "1-accept-255", first)

	second := body("2-accept-257")
	for line, hashes := 0, bytes.Count(second[:bytes.Index(second, []byte("\n\n"))], []byte("\n")); line < hashes; line++ {
		d.refuses(fmt.Sprintf("hash %d of the proof altered", line), altered(second, nth(second, line)+3), 422)
	}
	d.accepts(dir, "2-accept-257", second)

	if got := d.refuses("a stale size", body("3-stale-257"), 409); got != "257\n" {
		fail(d.name+": a stale size", fmt.Sprintf("said %q, not the size that it holds", got))
	}
	d.refuses("a fork that grew", body("4-fork-300"), 422)
	d.refuses("a fork of the same size", body("5-fork-257"), 422)
	largest := body("6-accept-70000")
	d.refuses("an old size over the new one", bytes.Replace(largest, []byte("old 257"), []byte("old 70001"), 1), 400)
	d.accepts(dir, "6-accept-70000", largest)
}

// nth is where the line after `line`+1 newlines begins.
func nth(text []byte, line int) int {
	at := 0
	for range line + 1 {
		at += bytes.IndexByte(text[at:], '\n') + 1
	}
	return at
}

// altered changes a letter or digit, so that a base64 line stays one.
func altered(text []byte, at int) []byte {
	changed := append([]byte(nil), text...)
	if changed[at] == 'A' || changed[at] == '1' {
		changed[at]++
	} else if changed[at] >= '0' && changed[at] <= '9' {
		changed[at] = '1'
	} else {
		changed[at] = 'A'
	}
	return changed
}

func (d door) post(body []byte) (int, string) {
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Post(d.url+"/add-checkpoint", "text/plain; charset=utf-8", bytes.NewReader(body))
	must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	must(err)
	return answer.StatusCode, string(text)
}

func (d door) refuses(what string, body []byte, wanted int) string {
	status, text := d.post(body)
	switch {
	case status < 400, d.strict && status != wanted, status != wanted && wanted != 403 && wanted != 400:
		fail(d.name+": "+what, fmt.Sprintf("status %d instead of %d", status, wanted))
	default:
		fmt.Printf("ok %s: refuses %s with %d\n", d.name, what, status)
	}
	return text
}

// accepts posts the request and verifies the line that the witness answers.
func (d door) accepts(dir, name string, body []byte) {
	status, lines := d.post(body)
	if status != http.StatusOK {
		fail(d.name+": "+name, fmt.Sprintf("refused with %d", status))
		return
	}
	_, checkpoint, _ := bytes.Cut(body, []byte("\n\n"))
	cosigned := append(append([]byte(nil), checkpoint...), lines...)
	verifier, err := f_note.NewVerifierForCosignatureV1(d.vkey)
	must(err)
	opened, err := note.Open(cosigned, note.VerifierList(verifier))
	if err != nil || len(opened.Sigs) != 1 {
		fail(d.name+": "+name, fmt.Sprintf("its cosignature does not verify: %v", err))
		return
	}
	must(os.WriteFile(filepath.Join(dir, "foreign", name), cosigned, 0o644))
	raw, err := base64.StdEncoding.DecodeString(opened.Sigs[0].Base64)
	must(err)
	fmt.Printf("ok %s: cosigns %s (%d bytes)\n", d.name, name, len(raw))
}

func fail(what, why string) {
	failed = true
	fmt.Printf("FAIL %s: %s\n", what, why)
}

func read(file string) []byte {
	bytes, err := os.ReadFile(file)
	must(err)
	return bytes
}

func must(err error) {
	if err != nil {
		fmt.Println("FAIL set-up:", err)
		os.Exit(1)
	}
}
