//! The names of all notification events, each with the type of its payload.
//!
//! The list is data: it is never matched on. A new name is one more line.

use async_graphql::Enum;
use sea_orm::sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr};
use sea_orm::{ActiveEnum, ColIdx, DeriveActiveEnum, EnumIter, QueryResult, TryGetError, TryGetable, Value};
use serde::{Serialize, Serializer};

macro_rules! event_names {
    ($($(#[$meta:meta])* $name:ident => $payload:ident,)*) => {
        /// What happened. The name decides the type of the event's payload.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
            Enum, EnumIter, DeriveActiveEnum, Serialize,
        )]
        #[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum NotificationEventName {
            $(
                #[doc = concat!("The payload is of the type `", stringify!($payload), "`.")]
                $(#[$meta])*
                $name,
            )*
        }

        const PAYLOAD_TYPES: &[&str] = &[$(stringify!($payload)),*];
    };
}

impl NotificationEventName {
    /// The `__typename` of the payloads of this event.
    pub fn payload_type(self) -> &'static str {
        PAYLOAD_TYPES[self as usize]
    }

    /// Whether a target can subscribe to it: everyone gets the activation notification unasked (T13).
    pub fn is_subscribable(self) -> bool {
        self != Self::NotificationActivation
    }
}

/// The name of an event as it was recorded: by a newer version of the server, perhaps, which knows more
/// names. Its events are listed and delivered like others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventName {
    /// One of the list.
    Known(NotificationEventName),
    /// Another one.
    Unknown(String),
}

impl EventName {
    /// The name, if it is one of the list.
    pub fn known(&self) -> Option<NotificationEventName> {
        match self {
            Self::Known(name) => Some(*name),
            Self::Unknown(_) => None,
        }
    }
}

impl From<NotificationEventName> for EventName {
    fn from(name: NotificationEventName) -> Self {
        Self::Known(name)
    }
}

impl From<String> for EventName {
    fn from(text: String) -> Self {
        NotificationEventName::try_from_value(&text).map_or(Self::Unknown(text), Self::Known)
    }
}

impl Serialize for EventName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(name) => name.serialize(serializer),
            Self::Unknown(text) => text.serialize(serializer),
        }
    }
}

// What lets an entity have a column of the type: it is text to the database.
impl From<EventName> for Value {
    fn from(name: EventName) -> Self {
        match name {
            EventName::Known(name) => name.to_value().into(),
            EventName::Unknown(text) => text.into(),
        }
    }
}

impl TryGetable for EventName {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        String::try_get_by(row, index).map(Self::from)
    }
}

impl ValueType for EventName {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        <String as ValueType>::try_from(value).map(Self::from)
    }

    fn type_name() -> String {
        stringify!(EventName).to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::String
    }

    fn column_type() -> ColumnType {
        ColumnType::Text
    }
}

impl Nullable for EventName {
    fn null() -> Value {
        Value::String(None)
    }
}

event_names! {
    #[graphql(deprecation = "No longer supported")]
    AuthorizationCreated => AuthorizationEvent,
    AuthorizedUserCardProductApplicationApproved => AuthorizedUserCardProductApplication,
    AuthorizedUserCardProductApplicationClosed => AuthorizedUserCardProductApplication,
    AuthorizedUserCardProductApplicationDenied => AuthorizedUserCardProductApplication,
    AuthorizedUserCardProductApplicationManualReview => AuthorizedUserCardProductApplication,
    #[graphql(deprecation = "Replaced by names that say which action is asked for.")]
    AuthorizedUserCardProductApplicationInReview => AuthorizedUserCardProductApplication,
    AuthorizedUserCardProductApplicationUnderwritingDecisionRequested => AuthorizedUserCardProductApplication,
    AuthorizedUserCardProductApplicationDocumentUploadRequested => AuthorizedUserCardProductApplication,
    CardProductApplicationApproved => AccountHolderCardProductApplication,
    CardProductApplicationClosed => AccountHolderCardProductApplication,
    CardProductApplicationDenied => AccountHolderCardProductApplication,
    CardProductApplicationManualReview => AccountHolderCardProductApplication,
    #[graphql(deprecation = "Replaced by names that say which action is asked for.")]
    CardProductApplicationInReview => AccountHolderCardProductApplication,
    CardProductApplicationUnderwritingDecisionRequested => AccountHolderCardProductApplication,
    CardProductApplicationCreditReportFraudAlert => AccountHolderCardProductApplication,
    CardProductApplicationCreditReportFreeze => AccountHolderCardProductApplication,
    CardProductApplicationDocumentUploadRequested => AccountHolderCardProductApplication,
    CardProductApplicationOfferManagementRequested => AccountHolderCardProductApplication,
    NotificationActivation => NotificationTargetActivationEvent,
    AchSecureDepositInitiated => SecureDepositInitiatedEvent,
    AchSecureDepositProcessing => SecureDepositProcessingEvent,
    AchSecureDepositProcessed => SecureDepositProcessedEvent,
    AchSecureDepositFailed => SecureDepositFailedEvent,
    AchSecureDepositReturned => SecureDepositReturnedEvent,
    AchSecureDepositCanceled => SecureDepositCanceledEvent,
    AchFundsWithdrawalInitiated => FundsWithdrawalInitiatedEvent,
    AchFundsWithdrawalProcessing => FundsWithdrawalProcessingEvent,
    AchFundsWithdrawalProcessed => FundsWithdrawalProcessedEvent,
    AchFundsWithdrawalFailed => FundsWithdrawalFailedEvent,
    AchFundsWithdrawalReturned => FundsWithdrawalReturnedEvent,
    AchFundsWithdrawalCanceled => FundsWithdrawalCanceledEvent,
    AchFundsDepositInitiated => FundsDepositInitiatedEvent,
    AchFundsDepositProcessing => FundsDepositProcessingEvent,
    AchFundsDepositProcessed => FundsDepositProcessedEvent,
    AchFundsDepositFailed => FundsDepositFailedEvent,
    AchFundsDepositReturned => FundsDepositReturnedEvent,
    AchFundsDepositCanceled => FundsDepositCanceledEvent,
    AchRepaymentProcessing => RepaymentProcessingEvent,
    AchRepaymentProcessed => RepaymentProcessedEvent,
    AchRepaymentFailed => RepaymentFailedEvent,
    AchRepaymentReturned => RepaymentReturnedEvent,
    AchExternallyInitiatedDepositReceived => AchExternallyInitatedDepositReceivedEvent,
    AchExternallyInitiatedDepositProcessed => AchExternallyInitatedDepositProcessedEvent,
    AchExternallyInitiatedDepositFailed => AchExternallyInitatedDepositFailedEvent,
    AchExternallyInitiatedWithdrawalReceived => AchExternallyInitiatedWithdrawalReceivedEvent,
    AchExternallyInitiatedWithdrawalProcessed => AchExternallyInitiatedWithdrawalProcessedEvent,
    AchExternallyInitiatedWithdrawalFailed => AchExternallyInitiatedWithdrawalFailedEvent,
    PaymentCardAdjustment => PaymentCardAdjustmentEvent,
    #[graphql(deprecation = "No longer supported")]
    PaymentCardAuthorizationCreated => PaymentCardAuthorizationCreatedEvent,
    PaymentCardAuthorizationApproved => PaymentCardAuthorizationApprovedEvent,
    PaymentCardAuthorizationDeclined => PaymentCardAuthorizationDeclinedEvent,
    PaymentCardAuthorizationReversed => PaymentCardAuthorizationReversedEvent,
    PaymentCardAuthorizationAndClearApproved => PaymentCardAuthorizationAndClearApprovedEvent,
    PaymentCardAuthorizationAndClearDeclined => PaymentCardAuthorizationAndClearDeclinedEvent,
    PaymentCardCleared => PaymentCardClearedEvent,
    PaymentCardEnhancedDataReceived => PaymentCardEnhancedDataEvent,
    PaymentCardVerificationApproved => PaymentCardVerificationApprovedEvent,
    PaymentCardVerificationDeclined => PaymentCardVerificationDeclinedEvent,
    PaymentCardIssued => PaymentCardIssuedEvent,
    PaymentCardActivated => PaymentCardActivatedEvent,
    PaymentCardSuspended => PaymentCardSuspendedEvent,
    PaymentCardUnsuspended => PaymentCardUnsuspendedEvent,
    PaymentCardClosed => PaymentCardClosedEvent,
    PhysicalPaymentCardShipped => PhysicalPaymentCardShippedEvent,
    PhysicalPaymentCardShipFailed => PhysicalPaymentCardShipFailedEvent,
    FinancialAccountStatementReady => FinancialAccountStatementReadyEvent,
    InternalTransferFromFundingFinancialAccountToPaymentCardFinancialAccountPending => InternalTransferFromFundingFinancialAccountToPaymentCardFinancialAccountPendingEvent,
    InternalTransferFromFundingFinancialAccountToPaymentCardFinancialAccountCompleted => InternalTransferFromFundingFinancialAccountToPaymentCardFinancialAccountCompletedEvent,
    InternalTransferFromFundingFinancialAccountToPaymentCardFinancialAccountFailed => InternalTransferFromFundingFinancialAccountToPaymentCardFinancialAccountFailedEvent,
    InternalTransferFromPaymentCardFinancialAccountToFundingFinancialAccountPending => InternalTransferFromPaymentCardFinancialAccountToFundingFinancialAccountPendingEvent,
    InternalTransferFromPaymentCardFinancialAccountToFundingFinancialAccountCompleted => InternalTransferFromPaymentCardFinancialAccountToFundingFinancialAccountCompletedEvent,
    InternalTransferFromPaymentCardFinancialAccountToFundingFinancialAccountFailed => InternalTransferFromPaymentCardFinancialAccountToFundingFinancialAccountFailedEvent,
    PhysicalPaymentCardGroupOrderShipped => PhysicalPaymentCardGroupOrderShippedEvent,
    PhysicalPaymentCardGroupOrderShipFailed => PhysicalPaymentCardGroupOrderShipFailedEvent,
    PayrollAdvanceRepaymentCompleted => PayrollAdvanceRepaymentCompletedEvent,
    PayrollAdvanceWriteOffCompleted => PayrollAdvanceWriteOffCompletedEvent,
    AccountStatusActive => AccountStatusActiveEvent,
    AccountStatusSuspended => AccountStatusSuspendedEvent,
    AccountStatusUnderReview => AccountStatusUnderReviewEvent,
    AccountStatusPendingClosure => AccountStatusPendingClosureEvent,
    AccountStatusClosed => AccountStatusClosedEvent,
    FinancialAccountAttributeAddedDelinquent => FinancialAccount,
    FinancialAccountAttributeRemovedDelinquent => FinancialAccount,
    FinancialAccountAttributeAddedDelinquentSuspended => FinancialAccount,
    FinancialAccountAttributeRemovedDelinquentSuspended => FinancialAccount,
    FinancialAccountAttributeAddedProgramOwnerInitiatedSuspension => FinancialAccount,
    FinancialAccountAttributeRemovedProgramOwnerInitiatedSuspension => FinancialAccount,
    FinancialAccountAttributeAddedChargeOff => FinancialAccount,
    FinancialAccountAttributeRemovedChargeOff => FinancialAccount,
    FinancialAccountAttributeAddedClosedWithBalance => FinancialAccount,
    FinancialAccountAttributeRemovedClosedWithBalance => FinancialAccount,
    ExternalBankAccountAdded => ExternalBankAccountAddedEvent,
    ExternalBankAccountRemoved => ExternalBankAccountRemovedEvent,
    CardDigitalWalletTokenActivated => CardDigitalWalletTokenActivatedEvent,
    CardDigitalWalletTokenSuspended => CardDigitalWalletTokenSuspendedEvent,
    CardDigitalWalletTokenTerminated => CardDigitalWalletTokenTerminatedEvent,
    AchHoldAdded => AchHoldAddedEvent,
    AchHoldRemoved => AchHoldRemovedEvent,
    ReportCompleted => Report,
    ReportFailed => Report,
    InternalTransferBetweenFinancialAccountsCompleted => InterFinancialAccountTransfer,
    InternalTransferBetweenFinancialAccountsPending => InterFinancialAccountTransfer,
    InternalTransferBetweenFinancialAccountsFailed => InterFinancialAccountTransfer,
    PaymentCardTransactionDisputeCaseStatusInitiated => PaymentCardTransactionDispute,
    PaymentCardTransactionDisputeCaseStatusResolvedWithDisputeCredit => PaymentCardTransactionDispute,
    PaymentCardTransactionDisputeCaseStatusCaseCardholderWon => PaymentCardTransactionDispute,
    PaymentCardTransactionDisputeCaseStatusCaseCardholderLost => PaymentCardTransactionDispute,
    PaymentCardTransactionDisputeCaseStatusRejected => PaymentCardTransactionDispute,
    PaymentCardTransactionDisputeCaseStatusCancelled => PaymentCardTransactionDispute,
    PaymentCardTransactionChargebackProvisionalCreditIssued => PaymentCardTransactionChargeback,
    PaymentCardTransactionChargebackProvisionalCreditRevoked => PaymentCardTransactionChargeback,
    PaymentCardTransactionDisputeProvisionalCreditIssued => PaymentCardTransactionDispute,
    PaymentCardTransactionDisputeProvisionalCreditRevoked => PaymentCardTransactionDispute,
    PaymentCardTransactionDisputeProvisionalCreditWon => PaymentCardTransactionDispute,
    PaymentCardTransactionDisputeCreditIssued => PaymentCardTransactionDispute,
    PaymentCardTransactionDisputeCreditReversed => PaymentCardTransactionDispute,
    PersonAccountHolderIdentityUpdated => PersonAccountHolderIdentityUpdatedEvent,
    BusinessAccountHolderIdentityUpdated => BusinessAccountHolderIdentityUpdatedEvent,
    BusinessAuthorizedPersonIdentityUpdated => BusinessAuthorizedPersonIdentityUpdatedEvent,
    BusinessUltimateBeneficialOwnerIdentityUpdated => BusinessUltimateBeneficialOwnerIdentityUpdatedEvent,
    PersonAccountHolderIdentityDocumentsRequested => PersonAccountHolderIdentityDocumentsRequestedEvent,
    BusinessAccountHolderIdentityDocumentsRequested => BusinessAccountHolderIdentityDocumentsRequestedEvent,
    BusinessAuthorizedPersonIdentityDocumentsRequested => BusinessAuthorizedPersonIdentityDocumentsRequestedEvent,
    BusinessUltimateBeneficialOwnerIdentityDocumentsRequested => BusinessUltimateBeneficialOwnerIdentityDocumentsRequestedEvent,
    OriginatedAchTransferInitiated => OriginatedAchTransferInitiatedEvent,
    OriginatedAchTransferPending => OriginatedAchTransferPendingEvent,
    OriginatedAchTransferProcessing => OriginatedAchTransferProcessingEvent,
    OriginatedAchTransferProcessed => OriginatedAchTransferProcessedEvent,
    OriginatedAchTransferFailed => OriginatedAchTransferFailedEvent,
    OriginatedAchTransferReturned => OriginatedAchTransferReturnedEvent,
    OriginatedAchTransferCanceled => OriginatedAchTransferCanceledEvent,
    NonOriginatedAchTransferReceived => NonOriginatedAchTransferReceivedEvent,
    NonOriginatedAchTransferProcessed => NonOriginatedAchTransferProcessedEvent,
    NonOriginatedAchTransferFailed => NonOriginatedAchTransferFailedEvent,
    NonOriginatedAchTransferReturned => NonOriginatedAchTransferReturnedEvent,
    CreditLimitChangeRequestStatusChanged => CreditLimitChangeRequestStatusChangedEvent,
    AchTransferHoldAdded => AchTransferHoldAddedEvent,
    AchTransferHoldRemoved => AchTransferHoldRemovedEvent,
    CardProductApplicationIdentityUpdateRequested => AccountHolderCardProductApplication,
    LinkVerifiedExternalBankAccountFailed => LinkVerifiedExternalBankAccountFailedEvent,
    CheckPaymentEventFundingPending => CheckPaymentEvent,
    CheckPaymentEventFundingStarted => CheckPaymentEvent,
    CheckPaymentEventFundingCompleted => CheckPaymentEvent,
    CheckPaymentEventFundingDisbursed => CheckPaymentEvent,
    CheckPaymentEventPendingShipment => CheckPaymentEvent,
    CheckPaymentEventShipped => CheckPaymentEvent,
    CheckPaymentEventCompleted => CheckPaymentEvent,
    CheckPaymentEventVoided => CheckPaymentEvent,
    CheckPaymentEventFailed => CheckPaymentEvent,
    CheckPaymentEventReversalInitiated => CheckPaymentEvent,
    CheckPaymentEventReversalCompleted => CheckPaymentEvent,
    CheckPaymentEventPrinted => CheckPaymentEvent,
    CheckPaymentEventPaid => CheckPaymentEvent,
    CheckPaymentEventPendingProcessingByHighnote => CheckPaymentEvent,
    CheckPaymentEventProcessingByHighnote => CheckPaymentEvent,
    CheckPaymentEventProcessedByHighnote => CheckPaymentEvent,
    CheckPaymentEventOnRiskHold => CheckPaymentEvent,
    UpcomingStatementDueDate => UpcomingStatementDueDateEvent,
    ProvisionAccountHolderInitiated => AccountHolderProvisioning,
    ProvisionAccountHolderInProgress => AccountHolderProvisioning,
    ProvisionAccountHolderError => AccountHolderProvisioning,
    ProvisionAccountHolderCompleted => AccountHolderProvisioning,
    ProvisionAccountHolderRejected => AccountHolderProvisioning,
    ProvisionAccountHolderCreateApplicationInitiated => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderCreateApplicationInProgress => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderCreateApplicationError => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderCreateApplicationCompleted => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderCreateApplicationNotCompleted => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderIssueFinancialAccountInitiated => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderIssueFinancialAccountInProgress => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderIssueFinancialAccountError => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderIssueFinancialAccountCompleted => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderIssueFinancialAccountNotCompleted => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderSetCreditLimitInitiated => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderSetCreditLimitInProgress => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderSetCreditLimitError => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderSetCreditLimitCompleted => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderSetCreditLimitNotCompleted => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderIssuePaymentCardInitiated => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderIssuePaymentCardInProgress => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderIssuePaymentCardError => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderIssuePaymentCardCompleted => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderIssuePaymentCardNotCompleted => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderRegisterVisaPayableFundingAccountInitiated => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderRegisterVisaPayableFundingAccountInProgress => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderRegisterVisaPayableFundingAccountError => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderRegisterVisaPayableFundingAccountCompleted => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderRegisterVisaPayableFundingAccountNotCompleted => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderLinkExternalBankAccountInitiated => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderLinkExternalBankAccountInProgress => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderLinkExternalBankAccountError => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderLinkExternalBankAccountCompleted => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderLinkExternalBankAccountNotCompleted => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderNotifyProviderInitiated => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderNotifyProviderInProgress => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderNotifyProviderError => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderNotifyProviderCompleted => AccountHolderProvisioningWorkflowAction,
    ProvisionAccountHolderNotifyProviderNotCompleted => AccountHolderProvisioningWorkflowAction,
    FeeChargeEvent => FeeChargeEvent,
    FeeReversalEvent => FeeReversalEvent,
    InstantNetworkTransferInitiatedEvent => InstantNetworkTransfer,
    InstantNetworkTransferCompletedEvent => InstantNetworkTransfer,
    InstantNetworkTransferFailedEvent => InstantNetworkTransfer,
    UnifiedFundsTransferInitiatedEvent => UnifiedFundsTransfer,
    UnifiedFundsTransferCompletedEvent => UnifiedFundsTransfer,
    UnifiedFundsTransferFailedEvent => UnifiedFundsTransfer,
    OriginatedRtpTransferInitiatedEvent => OriginatedRtpTransferEvent,
    OriginatedRtpTransferPendingEvent => OriginatedRtpTransferEvent,
    OriginatedRtpTransferProcessingEvent => OriginatedRtpTransferEvent,
    OriginatedRtpTransferCompletedEvent => OriginatedRtpTransferEvent,
    OriginatedRtpTransferFailedEvent => OriginatedRtpTransferEvent,
    NonOriginatedRtpTransferReceivedEvent => NonOriginatedRtpTransferEvent,
    NonOriginatedRtpTransferProcessingEvent => NonOriginatedRtpTransferEvent,
    NonOriginatedRtpTransferCompletedEvent => NonOriginatedRtpTransferEvent,
    NonOriginatedRtpTransferFailedEvent => NonOriginatedRtpTransferEvent,
    DocumentUploadRequestedEvent => ManualDocumentRequestUploadSession,
    FileUploadCompleteEvent => FileUploadCompleteEvent,
    DocumentUploadSessionCompleteEvent => DocumentUploadSessionCompleteEvent,
    #[graphql(deprecation = "Use `CARD_PAYMENT_AUTHORIZED_EVENT`.")]
    CardPaymentAuthorizingEvent => CardPaymentAuthorizingEvent,
    CardPaymentAuthorizedEvent => CardPaymentAuthorizedEvent,
    CardPaymentIncrementalAuthorizedEvent => CardPaymentIncrementalAuthorizedEvent,
    CardPaymentReversedEvent => CardPaymentReversedEvent,
    #[graphql(deprecation = "Use `CARD_PAYMENT_REVERSED_EVENT`.")]
    CardPaymentPartialReversedEvent => CardPaymentPartialReversedEvent,
    CardPaymentCapturingEvent => CardPaymentCapturingEvent,
    #[graphql(deprecation = "Use `CARD_PAYMENT_CAPTURING_EVENT`.")]
    CardPaymentCapturedEvent => CardPaymentCapturingEvent,
    CardPaymentCaptureProcessingEvent => CardPaymentCaptureProcessingEvent,
    CardPaymentSettledEvent => CardPaymentClearedEvent,
    CardPaymentClearedEvent => CardPaymentClearedEvent,
    CardPaymentClearingFailedEvent => CardPaymentClearingFailedEvent,
    CardPaymentDisbursedEvent => CardPaymentDisbursedEvent,
    CardPaymentAuthorizationDeclinedEvent => CardPaymentAuthorizationDeclinedEvent,
    CardPaymentIncrementalAuthorizationDeclinedEvent => CardPaymentIncrementalAuthorizationDeclinedEvent,
    CardPaymentReversalDeclinedEvent => CardPaymentReversalDeclinedEvent,
    CardPaymentCaptureDeclinedEvent => CardPaymentCaptureDeclinedEvent,
    CardPaymentPayoutEvent => CardPaymentPayoutEvent,
    PayoutTransferCompletedEvent => PayoutTransferCompletedEvent,
    #[graphql(deprecation = "Use `CARD_PAYMENT_VERIFIED_EVENT` or `CARD_PAYMENT_VERIFICATION_DECLINED_EVENT`.")]
    CardPaymentVerificationPendingEvent => CardPaymentVerificationPendingEvent,
    CardPaymentVerifiedEvent => CardPaymentVerifiedEvent,
    CardPaymentVerificationDeclinedEvent => CardPaymentVerificationDeclinedEvent,
    CardPaymentDisputeActionRequired => CardPaymentDispute,
    PaymentMethodCapabilityStatusEnabledEvent => PaymentMethodCapabilityEnabledEvent,
    PaymentMethodCapabilityStatusDisabledEvent => PaymentMethodCapabilityDisabledEvent,
    PaymentMethodCapabilityStatusRequiresReviewEvent => PaymentMethodCapabilityRequiresReviewEvent,
    PaymentMethodCapabilityStatusReviewedEvent => PaymentMethodCapabilityReviewedEvent,
    BalanceNotificationEvent => BalanceNotificationEvent,
    CryptoFundingFlowReceived => CryptoFundingFlowReceivedEvent,
    CryptoFundingFlowProcessing => CryptoFundingFlowProcessingEvent,
    CryptoFundingFlowProcessed => CryptoFundingFlowProcessedEvent,
    CryptoFundingFlowFailed => CryptoFundingFlowFailedEvent,
}
