// SPDX-License-Identifier: Apache-2.0
// Java: threads, collections of garbage, compiled code whose null checks are faults, processes, sockets.
import java.io.*;
import java.net.*;
import java.nio.*;
import java.nio.channels.FileChannel;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;

public class Machine {
    static class Node { Node next; int value; byte[] payload = new byte[64]; }

    static int valueOf(Node node) { return node.value; } // compiled, a null is a SIGSEGV

    static int depth(int n) { return depth(n + 1) + 1; }

    public static void main(String[] arguments) throws Exception {
        AtomicLong sum = new AtomicLong();
        Thread[] threads = new Thread[64];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = new Thread(() -> { for (int n = 0; n < 1000; n++) sum.incrementAndGet(); });
            threads[i].start();
        }
        for (Thread thread : threads) thread.join();
        System.out.println("sum " + sum);

        Node node = new Node(), list = null;
        int caught = 0;
        for (int i = 0; i < 200_000; i++) {
            try { node.value = i; caught += valueOf(i % 100 == 99 ? null : node) < 0 ? 1 : 0; } catch (NullPointerException e) { caught++; }
        }
        System.out.println("null " + caught);
        for (int round = 0; round < 10; round++) {
            list = null;
            for (int i = 0; i < 50_000; i++) { Node n = new Node(); n.next = list; list = n; }
        }
        int length = 0;
        for (Node n = list; n != null; n = n.next) length++;
        System.gc();
        System.out.println("list " + length);
        try { depth(0); } catch (StackOverflowError e) { System.out.println("stack overflow"); }
        try { byte[][] all = new byte[1000][]; for (int i = 0; i < 1000; i++) all[i] = new byte[64 << 20]; } catch (OutOfMemoryError e) { System.out.println("out of memory"); }
        System.out.println(IntStream.range(0, 1_000_000).parallel().mapToLong(i -> (long) i * i % 7).sum());

        Process process = new ProcessBuilder("sh", "-c", "cat; exit 3").redirectErrorStream(true).start();
        process.getOutputStream().write("through a child\n".getBytes());
        process.getOutputStream().close();
        System.out.print(new String(process.getInputStream().readAllBytes()));
        System.out.println(process.waitFor());

        try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            ExecutorService pool = Executors.newFixedThreadPool(8);
            List<Future<String>> answers = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                answers.add(pool.submit(() -> {
                    try (Socket socket = new Socket(server.getInetAddress(), server.getLocalPort())) {
                        return new BufferedReader(new InputStreamReader(socket.getInputStream())).readLine();
                    }
                }));
            }
            for (int i = 0; i < 8; i++) try (Socket socket = server.accept()) { socket.getOutputStream().write("hello\n".getBytes()); }
            int heard = 0;
            for (Future<String> answer : answers) heard += answer.get().length();
            pool.shutdown();
            System.out.println("heard " + heard);
        }
        Path path = Path.of("file");
        Files.writeString(path, "x".repeat(100_000));
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            MappedByteBuffer buffer = channel.map(FileChannel.MapMode.READ_WRITE, 0, channel.size());
            buffer.put(50_000, (byte) 'y');
            buffer.force();
        }
        System.out.println(Files.readString(path).indexOf('y'));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
        ScheduledExecutorService timer = Executors.newScheduledThreadPool(2);
        System.out.println(timer.schedule(() -> "later", 20, TimeUnit.MILLISECONDS).get());
        System.exit(5);
    }
}
