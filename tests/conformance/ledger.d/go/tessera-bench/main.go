// Command tessera-bench measures Tessera's POSIX storage through its library: `tessera-bench FOLDER WRITERS SECONDS BYTES`
// appends entries of that size by that many writers, each waiting until its entry is durably integrated, and prints the
// appends a second and their 50th and 99th percentile in milliseconds as one JSON object.
//
// Options are Tessera's defaults, but for the checkpoint interval: 100 ms, the shortest that its POSIX storage
// takes; it is not waited for. An entry counts when its future resolves, which is after its bundle, tiles and tree
// state were written and synced. Deduplication is off: entries differ.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tessera-bench:", err)
		os.Exit(1)
	}
}

func run(words []string) error {
	if len(words) != 4 {
		return fmt.Errorf("usage: tessera-bench FOLDER WRITERS SECONDS BYTES")
	}
	numbers := [3]int{}
	for i, word := range words[1:] {
		number, err := strconv.Atoi(word)
		if err != nil || number < 1 {
			return fmt.Errorf("`%s` is no number of at least 1", word)
		}
		numbers[i] = number
	}
	ctx := context.Background()
	appender, shutdown, err := open(ctx, words[0])
	if err != nil {
		return err
	}
	took, seconds, err := load(ctx, appender, numbers[0], time.Duration(numbers[1])*time.Second, numbers[2])
	if err != nil {
		return err
	}
	if err := shutdown(ctx); err != nil {
		return err
	}
	slices.Sort(took)
	quantile := func(share float64) float64 {
		return float64(took[int(float64(len(took)-1)*share)].Microseconds()) / 1000
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"per_s": float64(len(took)) / seconds, "p50_ms": quantile(0.5), "p99_ms": quantile(0.99),
	})
}

func open(ctx context.Context, folder string) (*tessera.Appender, func(context.Context) error, error) {
	secret, _, err := note.GenerateKey(rand.Reader, "ledger.example/tessera-bench")
	if err != nil {
		return nil, nil, err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return nil, nil, err
	}
	driver, err := posix.New(ctx, posix.Config{Path: folder})
	if err != nil {
		return nil, nil, err
	}
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithCheckpointInterval(100 * time.Millisecond)
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, options)
	return appender, shutdown, err
}

func load(ctx context.Context, to *tessera.Appender, writers int, lasting time.Duration, bytes int) ([]time.Duration, float64, error) {
	var group sync.WaitGroup
	var lock sync.Mutex
	var all []time.Duration
	var failure error
	started := time.Now()
	for writer := range writers {
		group.Go(func() {
			var took []time.Duration
			var err error
			for n := 0; time.Since(started) < lasting && err == nil; n++ {
				entry := make([]byte, bytes)
				copy(entry, fmt.Sprintf("writer %d entry %d\n", writer, n))
				before := time.Now()
				_, err = to.Add(ctx, tessera.NewEntry(entry))()
				took = append(took, time.Since(before))
			}
			lock.Lock()
			defer lock.Unlock()
			all = append(all, took...)
			if err != nil {
				failure = err
			}
		})
	}
	group.Wait()
	return all, time.Since(started).Seconds(), failure
}
