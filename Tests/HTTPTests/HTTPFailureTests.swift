import Foundation
import HTTP
import Logging
import TestSupport
import Testing

@Suite("Requests that fail")
struct HTTPFailureTests {
    @Test(
        "each way to fail has its code and says whether the server may have seen the request",
        arguments: [
            ("/length/70000", .responseTooLarge, 200), ("/chunked/70000", .responseTooLarge, 200),
            ("/head/70000", .responseTooLarge, 200), ("/reset", .aborted, nil),
            ("/cut", .aborted, 200), ("/garbage", .aborted, nil),
        ] as [(String, HTTPError.Code, Int?)])
    func afterSending(path: String, code: HTTPError.Code, status: Int?) async throws {
        try await sending { sender, stub in
            let error = await failure(sender, HTTPRequest(method: "GET", url: stub.url(path)))
            #expect(error?.code == code)
            #expect(error?.mayHaveBeenSent == true)
            #expect(error?.status == status)
            #expect(error?.host == "127.0.0.1")
            #expect(error?.description.contains(path) == false)
        }
    }

    @Test("a server that does not answer is given up in time")
    func timeout() async throws {
        try await sending { sender, stub in
            let start = ContinuousClock.now
            let error = await failure(
                sender,
                HTTPRequest(
                    method: "POST", url: stub.url("/hang"), body: [1],
                    totalTimeout: .milliseconds(300)))
            #expect(error?.code == .timeout)
            #expect(error?.mayHaveBeenSent == true)
            #expect(ContinuousClock.now - start >= .milliseconds(290))
            // The sender's own limit is fifteen seconds.
            #expect(ContinuousClock.now - start < .seconds(12))
        }
    }

    @Test("the wait for a slot counts, and a request that never left says so")
    func timeoutInLine() async throws {
        var limits = HTTPLimits()
        limits.maximumConnectionsPerHost = 1
        try await sending(limits) { sender, stub in
            async let first = failure(
                sender,
                HTTPRequest(
                    method: "GET", url: stub.url("/hang"), totalTimeout: .milliseconds(1500)))
            try await eventually { try stub.requests().count == 1 }
            let second = await failure(
                sender,
                HTTPRequest(
                    method: "GET", url: stub.url("/hang"), totalTimeout: .milliseconds(200)))
            #expect(second?.code == .timeout)
            #expect(second?.mayHaveBeenSent == false)
            #expect(await first?.mayHaveBeenSent == true)
            #expect(try stub.requests().count == 1)
        }
    }

    @Test("nobody listening is a connection error, nothing sent")
    func refused() async throws {
        try await sending { sender, stub in
            let url = stub.url("/echo")
            await stub.stop()
            let error = await failure(sender, HTTPRequest(method: "GET", url: url))
            #expect(error?.code == .connect)
            #expect(error?.mayHaveBeenSent == false)
        }
    }

    @Test("a name without an address is a resolution error, nothing sent")
    func unresolved() async throws {
        try await sending { sender, _ in
            // RFC 2606: nothing below .invalid ever resolves.
            let error = await failure(
                sender, HTTPRequest(method: "GET", url: "http://nobody.invalid/"))
            #expect(error?.code == .resolve)
            #expect(error?.mayHaveBeenSent == false)
            #expect(error?.host == "nobody.invalid")
        }
    }

    @Test("only a trusted certificate for the very host is accepted, and nothing is sent otherwise")
    func certificates() async throws {
        try await HTTPStub.serving(isSecure: true) { stub in
            let system = HTTPSender(
                policy: try .loopback, limits: HTTPLimits(), logger: Logger(label: "test"))
            let own = HTTPSender(
                policy: try .loopback, limits: HTTPLimits(), logger: Logger(label: "test"),
                certificateAuthorities: stub.certificateAuthorities)
            func request(_ host: String) -> HTTPRequest {
                HTTPRequest(method: "POST", url: stub.url("/echo", host: host), body: [1])
            }
            let untrusted = await failure(system, request("127.0.0.1"))
            #expect(untrusted?.code == .tls)
            #expect(untrusted?.mayHaveBeenSent == false)
            let misnamed = await failure(own, request("localhost"))
            #expect(misnamed?.code == .tls)
            #expect(misnamed?.mayHaveBeenSent == false)
            let response = try await own.send(request("127.0.0.1"))
            #expect(response.body == [1])
            let received = try stub.requests()
            #expect(received.count == 1)
            await system.shutdown()
            await own.shutdown()
        }
    }

    @Test("a cancelled task ends its transfer at once")
    func cancellation() async throws {
        try await sending { sender, stub in
            let start = ContinuousClock.now
            await withTaskGroup(of: HTTPError?.self) { group in
                group.addTask {
                    await failure(sender, HTTPRequest(method: "GET", url: stub.url("/hang")))
                }
                try? await eventually { try stub.requests().count == 1 }
                group.cancelAll()
                for await error in group {
                    #expect(error?.code == .cancelled)
                    #expect(error?.mayHaveBeenSent == true)
                }
            }
            #expect(ContinuousClock.now - start < .seconds(10))
            let next = try await sender.send(HTTPRequest(method: "GET", url: stub.url("/echo")))
            #expect(next.status == 200)
        }
    }

    @Test("a task cancelled beforehand sends nothing")
    func earlyCancellation() async throws {
        try await sending { sender, stub in
            await withTaskGroup(of: HTTPError?.self) { group in
                group.cancelAll()
                group.addTask {
                    await failure(sender, HTTPRequest(method: "GET", url: stub.url("/echo")))
                }
                for await error in group {
                    #expect(error?.code == .cancelled)
                    #expect(error?.mayHaveBeenSent == false)
                }
            }
            let requests = try stub.requests()
            #expect(requests.isEmpty)
        }
    }

    @Test("one request too many is refused at once")
    func overload() async throws {
        var limits = HTTPLimits()
        limits.maximumInFlight = 2
        limits.maximumQueued = 1
        try await sending(limits) { sender, stub in
            await withTaskGroup(of: HTTPError?.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        await failure(sender, HTTPRequest(method: "GET", url: stub.url("/hang")))
                    }
                }
                let first = await group.next()
                #expect(first??.code == .overloaded)
                group.cancelAll()
                for await error in group { #expect(error?.code == .cancelled) }
            }
            let next = try await sender.send(HTTPRequest(method: "GET", url: stub.url("/echo")))
            #expect(next.status == 200)
        }
    }

    @Test("shutting down fails what is under way, and what comes after")
    func shutdown() async throws {
        var limits = HTTPLimits()
        limits.maximumConnectionsPerHost = 1
        try await sending(limits) { sender, stub in
            await withTaskGroup(of: HTTPError?.self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        await failure(sender, HTTPRequest(method: "GET", url: stub.url("/hang")))
                    }
                }
                try? await eventually { try stub.requests().count == 1 }
                await sender.shutdown()
                await sender.shutdown()
                for await error in group { #expect(error?.code == .closed) }
            }
            let late = await failure(sender, HTTPRequest(method: "GET", url: stub.url("/echo")))
            #expect(late?.code == .closed)
        }
    }

    @Test("a sender that is let go ends its thread, with requests under way or not")
    func letGo() async throws {
        try await HTTPStub.serving { stub in
            let before = try httpThreads()
            for _ in 0..<20 {
                let sender = HTTPSender(
                    policy: try .loopback, limits: HTTPLimits(), logger: Logger(label: "test"))
                _ = try await sender.send(HTTPRequest(method: "GET", url: stub.url("/echo")))
            }
            // Other tests run beside this one and have senders of their own.
            try await eventually { try httpThreads() < before + 15 }
        }
    }
}

/// How many threads of this process belong to a sender.
private func httpThreads() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count { thread in
        let name = try? String(contentsOfFile: "/proc/self/task/\(thread)/comm", encoding: .utf8)
        return name?.hasPrefix("http") == true
    }
}
