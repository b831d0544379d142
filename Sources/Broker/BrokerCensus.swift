package import Foundation
package import JobModel

/// A worker as Redis knows it.
package struct WorkerStanding: Sendable, Equatable {
    package let worker: WorkerID
    /// By the server's clock, when its lease ends or ended.
    package let leaseEnds: Date
    /// Whether the lease still runs.
    package let isAlive: Bool
    /// What it said of itself; nil when that is missing or cannot be read.
    package let presence: WorkerPresence?
}

/// A key that is not what it must be.
package struct MistypedKey: Sendable, Equatable {
    package let key: String
    package let expected: String
    package let found: String

    package init(key: String, expected: String, found: String) {
        self.key = key
        self.expected = expected
        self.found = found
    }
}

/// Messages in flight that nobody has settled or renewed for longer than the visibility timeout.
package struct StaleFlight: Sendable, Equatable {
    /// Reserved by workers of this system.
    package var ours = 0
    /// Reserved by Celery workers.
    package var foreign = 0
    /// Whether there may be more than were counted.
    package var isCut = false

    package init(ours: Int = 0, foreign: Int = 0, isCut: Bool = false) {
        self.ours = ours
        self.foreign = foreign
        self.isCut = isCut
    }
}

/// A list that Celery's remote control left behind.
package struct ReplyQueue: Sendable, Equatable {
    package let key: String
    /// Since anybody used it; nil where the server does not tell.
    package let idle: Duration?

    package init(key: String, idle: Duration?) {
        self.key = key
        self.idle = idle
    }
}

/// An inbox whose worker is gone.
package struct OrphanInbox: Sendable, Equatable {
    package let key: String
    package let worker: WorkerID
    package let count: Int
}

/// What a bounded look at all keys found.
package struct KeySurvey: Sendable, Equatable {
    package var replyQueues: [ReplyQueue] = []
    package var orphanInboxes: [OrphanInbox] = []
    /// Queues that kombu knows, those of remote control excepted.
    package var queues: [QueueName] = []
    /// Whether there were more keys than were looked at.
    package var isCut = false

    package init() {}
}

/// The delayed messages whose time has passed.
package struct OverdueMessages: Sendable, Equatable {
    package let count: Int
    /// How late the first one is.
    package let longest: Duration

    package init(count: Int, longest: Duration) {
        self.count = count
        self.longest = longest
    }
}
