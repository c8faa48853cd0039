// SPDX-License-Identifier: Apache-2.0
// Go: goroutines over threads, preemption by signals, garbage, faults that are recovered, processes, the network.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type node struct{ value int }

func fault(p *node) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	return fmt.Sprint(p.value)
}

func main() {
	runtime.GOMAXPROCS(4)
	var sum int64
	var group sync.WaitGroup
	for i := 0; i < 5000; i++ {
		group.Add(1)
		go func(n int64) { defer group.Done(); atomic.AddInt64(&sum, n); runtime.Gosched() }(int64(i))
	}
	group.Wait()
	fmt.Println("sum", sum)

	var stop int32
	for i := 0; i < 4; i++ { // nothing in them gives way: only a signal takes the thread from them
		group.Add(1)
		go func() {
			defer group.Done()
			for n := 0; atomic.LoadInt32(&stop) == 0; n++ {
			}
		}()
	}
	time.Sleep(20 * time.Millisecond)
	runtime.GC()
	atomic.StoreInt32(&stop, 1)
	group.Wait()
	fmt.Println("preempted")
	fmt.Println(fault(nil), fault(&node{7}))

	debug.SetGCPercent(20)
	kept := map[int][]byte{}
	for i := 0; i < 100000; i++ {
		kept[i%1000] = make([]byte, 1000)
	}
	fmt.Println("kept", len(kept))

	for i := 0; i < 40; i++ { // a thread for each
		group.Add(1)
		go func() {
			defer group.Done()
			runtime.LockOSThread()
			syscall.Nanosleep(&syscall.Timespec{Nsec: 20000000}, nil)
		}()
	}
	group.Wait()

	out, err := exec.Command("sh", "-c", "echo from a child; exit 3").Output()
	fmt.Printf("%q %v\n", out, err)
	_, err = exec.Command("/no/such/program").Output()
	fmt.Println(err)

	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, strings.Repeat(r.URL.Path, 100)) }))
	var size int64
	for i := 0; i < 30; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			response, err := http.Get(fmt.Sprintf("http://%s/path", listener.Addr()))
			if err != nil {
				fmt.Println(err)
				return
			}
			n, _ := io.Copy(io.Discard, response.Body)
			atomic.AddInt64(&size, n)
		}()
	}
	group.Wait()
	fmt.Println("size", size)

	came := make(chan os.Signal, 1)
	signal.Notify(came, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-came)
	memory, _ := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	debug.SetPanicOnFault(true)
	func() {
		defer func() { fmt.Println(recover() != nil) }()
		memory[0] = 1
	}()
	var none *node
	defer fmt.Println("deferred")
	fmt.Println(none.value) // status 2, and a trace on standard error
}
