package main

import (
	"bufio"
	"fmt"
	"os"
	"sync"
)

// A checkpoint says which pages were begun and which are done, in a file that only grows: a line is written before the
// first record of a page is sent, and one after the last. A line that was cut off says nothing.
type checkpoint struct {
	mu    sync.Mutex // guards what follows
	file  *os.File
	pages map[int]mark
}

type mark struct {
	done    bool
	records int
}

func openCheckpoint(path string) (*checkpoint, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	c := &checkpoint{file: file, pages: map[int]mark{}}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var page, records int
		switch _, err := fmt.Sscanf(lines.Text(), "done %d %d.", &page, &records); {
		case err == nil:
			c.pages[page] = mark{true, records}
		default:
			if _, err := fmt.Sscanf(lines.Text(), "begin %d.", &page); err == nil {
				c.pages[page] = mark{}
			}
		}
	}
	if err := lines.Err(); err != nil {
		file.Close()
		return nil, err
	}
	if info, err := file.Stat(); err == nil && info.Size() > 0 {
		fmt.Fprintln(file) // after what may have been cut off
	}
	return c, nil
}

func (c *checkpoint) begun(page int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.pages[page]
	return ok
}

func (c *checkpoint) done(page int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pages[page].done
}

// records returns how many are on the pages that are done.
func (c *checkpoint) records() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.pages {
		n += m.records
	}
	return n
}

func (c *checkpoint) begin(page int) error { return c.write(page, mark{}, "begin %d.\n", page) }

func (c *checkpoint) end(page, records int) error {
	return c.write(page, mark{true, records}, "done %d %d.\n", page, records)
}

// write is durable when it returns.
func (c *checkpoint) write(page int, m mark, format string, args ...any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := fmt.Fprintf(c.file, format, args...); err != nil {
		return err
	}
	if err := c.file.Sync(); err != nil {
		return err
	}
	c.pages[page] = m
	return nil
}

func (c *checkpoint) close() error { return c.file.Close() }
