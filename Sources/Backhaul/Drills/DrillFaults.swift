import Foundation
import Glibc
import JobModel
import Mailbox

/// Sleeps, and ends at once when it is cancelled.
struct DrillSleep: Job {
    struct Payload: Codable, Sendable { let seconds: Double }

    static let name: JobName = "drill.sleep"
    static let policy = Drills.policy

    func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        try await ContinuousClock().sleep(for: try Drills.duration(payload.seconds))
        return .done
    }
}

/// Ignores its cancellation, by waiting for what cannot be cancelled or by blocking its thread.
struct DrillHang: Job {
    struct Payload: Codable, Sendable {
        let seconds: Double
        /// Whether the thread is blocked, one of as many as there are cores.
        let block: Bool?
    }

    static let name: JobName = "drill.hang"
    static let policy = Drills.policy

    /// How long one blocking call lasts, microseconds; short of what usleep(3) may refuse.
    private static let slice: UInt32 = 100_000

    func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        let length = try Drills.duration(payload.seconds)
        if payload.block ?? false {
            Self.block(for: length)
        } else {
            await withCheckedContinuation { continuation in
                DispatchQueue.global().asyncAfter(deadline: .now() + payload.seconds) {
                    continuation.resume()
                }
            }
        }
        return .done
    }

    private static func block(for length: Duration) {
        let clock = ContinuousClock()
        let end = clock.now + length
        while clock.now < end { usleep(slice) }
    }
}

/// Kills the process that runs it, as the kernel would for want of memory; no core file.
struct DrillCrash: Job {
    struct Payload: Codable, Sendable {}

    static let name: JobName = "drill.crash"
    static let policy = Drills.policy

    func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        kill(getpid(), SIGKILL)
        throw DrillFailure(description: "SIGKILL did not end the process")
    }
}

/// Fails, to be tried again or for good.
struct DrillFail: Job {
    struct Payload: Codable, Sendable {
        let message: String
        let permanently: Bool?
    }

    static let name: JobName = "drill.fail"
    static let policy = Drills.policy

    func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        guard payload.permanently ?? false else {
            throw DrillFailure(description: payload.message)
        }
        throw PermanentFailure(payload.message)
    }
}

/// Takes memory and keeps it until the process ends; returns how much it holds by now, in MiB.
struct DrillAllocate: Job {
    struct Payload: Codable, Sendable { let mebibytes: Int }

    static let name: JobName = "drill.allocate"
    static let policy = Drills.policy

    /// The most that one message may take, MiB.
    private static let maximum = 4096
    private static let mebibyte = 1_048_576

    private let held = Locked<[[UInt8]]>([])

    func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        guard (1...Self.maximum).contains(payload.mebibytes) else {
            throw PermanentFailure("mebibytes must be in 1…\(Self.maximum)")
        }
        // Written, not only reserved: it has to be resident.
        let memory = [UInt8](repeating: 0x5A, count: payload.mebibytes * Self.mebibyte)
        return .finished(
            result: .number(
                JSONNumber(
                    held.withLock { held in
                        held.append(memory)
                        return held.reduce(0) { $0 + $1.count } / Self.mebibyte
                    })))
    }
}
