import Foundation
import JobModel

/// The moment that a job measures up to: what its sender says, else its tick's due time, else now.
///
/// A job that runs late measures what it was sent for, and one that is repeated measures it again.
struct AsOf: Sendable {
    /// How far ahead of this clock another machine's may be, seconds.
    static let skew: TimeInterval = 120

    let date: Date
    /// The same in ISO 8601, as jobs hand it on.
    let text: String
    /// Whether it is now because nobody said anything else.
    let isNow: Bool

    /// Takes the payload's `at`, if it has one.
    ///
    /// - Throws: `PermanentFailure` that names the field.
    init(_ text: String?, in context: JobContext) throws {
        let now = context.time.now
        if let text {
            date = try Self.date(text, "at", now)
            isNow = false
        } else if let due = context.request?.headers[TickHeaders.dueAt]?.stringValue {
            date = try Self.date(due, "header \(TickHeaders.dueAt)", now)
            isNow = false
        } else {
            date = now
            isNow = true
        }
        self.text = WireDate.text(date)
    }

    private static func date(_ text: String, _ field: String, _ now: Date) throws -> Date {
        guard let date = WireDate.date(text), date.timeIntervalSince1970 >= 0 else {
            throw PermanentFailure(
                "\(field) must be a time in ISO 8601 such as 2026-11-01T00:00:00+00:00")
        }
        guard date.timeIntervalSince(now) <= skew else {
            throw PermanentFailure(
                "\(field) is more than \(Int(skew)) s in the future: nothing is known of it yet")
        }
        return date
    }
}
