package import HTTP
package import Postgres

/// What the jobs of this program need, made once by whoever composes it.
package struct JobServices: Sendable {
    package let pool: PostgresPool
    package let publisher: EventPublisher
    package let gateway: PaymentGateway
    /// For webhooks: guarded, and with small answers.
    package let sender: HTTPSender
    package let webhooks: WebhookQueue
    /// How long history is kept.
    package let keeps: RetentionKeeps

    /// Puts the services together.
    package init(
        pool: PostgresPool, publisher: EventPublisher, gateway: PaymentGateway,
        sender: HTTPSender, webhooks: WebhookQueue, keeps: RetentionKeeps
    ) {
        self.pool = pool
        self.publisher = publisher
        self.gateway = gateway
        self.sender = sender
        self.webhooks = webhooks
        self.keeps = keeps
    }
}
