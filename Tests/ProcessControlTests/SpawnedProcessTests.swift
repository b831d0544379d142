import Glibc
import Mailbox
import ProcessControl
import TestSupport
import Testing

@Suite("Processes are started, heard and told", .timeLimit(.minutes(1)))
struct SpawnedProcessTests {
    /// A shell with a script, what it said on its line, and how it ended.
    private final class Shell: Sendable {
        private let state = Locked(
            (lines: [String](), end: ProcessControl.ExitStatus?.none, ends: 0))
        private let started = Locked<SpawnedProcess?>(nil)

        init(
            _ script: String, blocking signals: [ProcessSignal] = [],
            environment: [String: String] = [:]
        ) throws {
            let image = ProcessImage(
                path: "/bin/sh", arguments: ["sh", "-c", script],
                environment: environment.merging(["PATH": "/usr/bin:/bin"]) { $1 })
            let state = state
            let process = try SpawnedProcess(
                image, blocking: signals,
                hear: { line in
                    state.withLock { $0.lines.append(String(decoding: line, as: UTF8.self)) }
                },
                ended: { end in
                    state.withLock { state in
                        state.end = end
                        state.ends += 1
                    }
                })
            started.withLock { $0 = process }
        }

        deinit { process?.signal(.kill) }

        var process: SpawnedProcess? { started.withLock { $0 } }
        var lines: [String] { state.withLock { $0.lines } }

        func end() async throws -> ProcessControl.ExitStatus? {
            try await eventually("the end of the shell") { state.withLock { $0.ends == 1 } }
            return state.withLock { $0.end }
        }

        func says(_ line: String) async throws {
            try await eventually("a line that says “\(line)”") { lines.contains("\(line)\n") }
        }
    }

    @Test("the exit code arrives, and all that was said before it")
    func exitCode() async throws {
        let shell = try Shell("echo one >&3; echo two >&3; exit 7")
        #expect(try await shell.end() == .exited(7))
        #expect(shell.lines == ["one\n", "two\n"])
    }

    @Test("a signal ends it, and the status names it; later signals go nowhere")
    func signalled() async throws {
        let shell = try Shell("echo ready >&3; while :; do sleep 1; done")
        try await shell.says("ready")
        shell.process?.signal(.kill)
        let end = try await shell.end()
        #expect(end == .signalled(9))
        #expect(end?.description == "SIGKILL")
        shell.process?.signal(.term)
    }

    @Test("it is heard to have ended while a child of its own holds the line")
    func grandchild() async throws {
        let shell = try Shell("sleep 60 & echo $! >&3; exit 3")
        #expect(try await shell.end() == .exited(3))
        let left = try #require(shell.lines.first.flatMap { Int32($0.dropLast()) })
        kill(left, SIGKILL)
    }

    @Test("it leads a process group of its own, reads nothing, and has the environment given")
    func surroundings() async throws {
        let shell = try Shell(
            "echo $(cut -d' ' -f5 /proc/$$/stat) $$ >&3; cat; echo \"$WORD\" >&3",
            environment: ["WORD": "a b"])
        #expect(try await shell.end() == .exited(0))
        let pid = try #require(shell.process?.pid)
        #expect(shell.lines == ["\(pid) \(pid)\n", "a b\n"])
    }

    @Test("signals blocked at its start wait for it")
    func blocked() async throws {
        let mask = "echo $(grep SigBlk /proc/$$/status | cut -f2) >&3"
        let open = try Shell(mask)
        let closed = try Shell(mask, blocking: [.term, .hup])
        #expect(try await open.end() == .exited(0))
        #expect(try await closed.end() == .exited(0))
        #expect(open.lines == ["0000000000000000\n"])
        #expect(closed.lines == ["0000000000004001\n"])
    }

    @Test("what cannot be started says so")
    func missing() {
        let image = ProcessImage(path: "/nowhere/at-all", arguments: ["x"], environment: [:])
        let error = #expect(throws: SpawnError.self) {
            try SpawnedProcess(image, blocking: [], hear: { _ in }, ended: { _ in })
        }
        #expect(
            error?.description == "/nowhere/at-all cannot be started: No such file or directory")
    }

    @Test("the memory of this process and of another can be read")
    func memory() async throws {
        let shell = try Shell("echo ready >&3; while :; do sleep 1; done")
        try await shell.says("ready")
        let own = try #require(ResidentMemory.bytes())
        let other = try #require(ResidentMemory.bytes(of: shell.process?.pid))
        #expect(own > 1_000_000 && other > 100_000 && other < own)
        #expect(ResidentMemory.bytes(of: Int32.max) == nil)
    }

    @Test("code that has run leaves the memory of the process, and can run again")
    func forgotten() throws {
        let before = try #require(ResidentMemory.bytes())
        ResidentMemory.forgetCode()
        let after = try #require(ResidentMemory.bytes())
        #expect(after < before)
    }

    @Test("a process can become another program")
    func replaced() async {
        await #expect(processExitsWith: .exitCode(7)) {
            let image = ProcessImage(
                path: "/bin/sh", arguments: ["sh", "-c", "test \"$WORD\" = x && exit 7"],
                environment: ["WORD": "x"])
            let failure = image.replaceThisProcess(blocking: [])
            ProcessImage.endThisProcess(code: failure)
        }
    }
}
