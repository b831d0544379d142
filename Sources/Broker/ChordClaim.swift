import Foundation
import JobModel

/// A chord whose parts are all there, and which is ours to end.
struct ChordClaim: Sendable, Equatable {
    let group: String
    /// What stands in the claim's key as long as it is ours.
    let token: String
    let chord: PendingChord
    let partCount: Int

    /// What stands in the claim's key once the chord has ended.
    static let over = "done"

    /// A token for a claim of ours: it names who we are, for whoever looks at the key.
    static func token(of origin: String) -> String {
        "\(origin)/\(UUID().uuidString.lowercased())"
    }

    /// Whose a token is; Python's are bare ids.
    static func claimant(of token: String) -> OpenChord.Claimant {
        guard let end = token.lastIndex(of: "/") else { return .python }
        return .swift(origin: String(token[..<end]))
    }
}

/// What a process does beside its jobs, as soon as it can.
struct UnfinishedWork: Sendable {
    /// The most chords remembered; the others are found by their records when their claims end.
    private static let maximumClaims = 10_000

    private(set) var claims: [ChordClaim] = []
    /// Lists of messages that are to be sent.
    private(set) var staged: [String] = []

    init() {}

    init(claims: some Sequence<ChordClaim>) { self.claims = Array(claims) }

    var isEmpty: Bool { claims.isEmpty && staged.isEmpty }

    mutating func add(_ claims: [ChordClaim], _ staged: [String] = []) {
        self.claims += claims.prefix(max(0, Self.maximumClaims - self.claims.count))
        self.staged += staged.prefix(max(0, Self.maximumClaims - self.staged.count))
    }

    /// All of it, which is then another's to do.
    mutating func take() -> UnfinishedWork {
        defer { self = UnfinishedWork() }
        return self
    }
}
