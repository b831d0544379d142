import Store

/// What a charge came to, as the job's result tells it.
struct ChargeResult: Encodable, Sendable, Equatable {
    let invoiceID: Int64
    /// `paid`, `declined`, `requires_action`, `lapsed`, `void` or `uncollectible`.
    let status: String
    var attempt: Int32?
    var gatewayID: String?
    var code: String?
    var declineCode: String?

    private enum CodingKeys: String, CodingKey {
        case invoiceID = "invoice_id"
        case status
        case attempt
        case gatewayID = "gateway_id"
        case code
        case declineCode = "decline_code"
    }

    init(invoiceID: Int64, status: String) {
        self.invoiceID = invoiceID
        self.status = status
    }

    /// What an attempt in a state of its own came to.
    init(_ status: String, _ attempt: PaymentAttempt) {
        invoiceID = attempt.invoiceID
        self.status = status
        self.attempt = attempt.number
    }

    init(paid attempt: PaymentAttempt) {
        self.init("paid", attempt)
        gatewayID = attempt.gatewayID
    }

    init(declined attempt: PaymentAttempt) {
        self.init("declined", attempt)
        code = attempt.errorCode
        declineCode = attempt.declineCode
    }
}
