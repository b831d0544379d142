import Foundation
import JobModel
import Testing

@testable import Worker

@Suite("Classifying errors")
struct OutcomeClassifierTests {
    private struct Fixed: TimeSource { let now = Date(timeIntervalSince1970: 1000) }
    private struct Odd: Error {}

    private let classifier = OutcomeClassifier(time: Fixed())
    private let policy = RetryPolicy(
        maximumRetries: 2, backoff: .exponential(base: .seconds(8), cap: .seconds(16)))

    private func word(_ error: any Error, retries: Int) -> String {
        switch classifier.outcome(of: error, retries: retries, policy: policy) {
        case .retry: "retry"
        case .deadLetter: "dead"
        case .quarantined: "quarantined"
        default: "other"
        }
    }

    @Test("every error × attempt has one outcome")
    func table() {
        let rows: [(any Error, [String])] = [
            (Odd(), ["retry", "retry", "dead"]),
            (RetryLater(after: .seconds(1), "later"), ["retry", "retry", "dead"]),
            (TimeLimitExceeded(limit: .seconds(1)), ["retry", "retry", "dead"]),
            (CancellationError(), ["retry", "retry", "dead"]),
            (PermanentFailure("never"), ["dead", "dead", "dead"]),
            (
                PayloadError(code: "wrong_type", message: "x"),
                ["quarantined", "quarantined", "quarantined"]
            ),
        ]
        for (error, expected) in rows {
            #expect((0..<3).map { word(error, retries: $0) } == expected, "\(error)")
        }
    }

    @Test("a wait asked for wins over the policy's, and is exact")
    func retryLater() {
        let outcome = classifier.outcome(
            of: RetryLater(after: .seconds(90), "busy"), retries: 0, policy: policy)
        guard case .retry(let date, let report, _) = outcome else {
            Issue.record("no retry")
            return
        }
        #expect(date == Date(timeIntervalSince1970: 1090))
        #expect(report.message == "busy")
    }

    @Test("a policy's wait lies within full jitter")
    func jitter() {
        for retries in 0..<2 {
            let outcome = classifier.outcome(of: Odd(), retries: retries, policy: policy)
            guard case .retry(let date, _, _) = outcome else {
                Issue.record("no retry")
                return
            }
            let wait = date.timeIntervalSince1970 - 1000
            #expect((0...(retries == 0 ? 8 : 16)).contains(wait))
        }
    }
}
