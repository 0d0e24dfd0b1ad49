/** What a check can find, with what it means and what to do about it. */
export const damageKinds = {
  guard_missing: {
    means: 'a rule the database keeps by itself is gone: what it protects may have been changed since',
    todo: 'Find out who changed the database, and restore it from a backup; then verify what was published since.',
  },
  guard_changed: {
    means: 'a rule of the database is not the one this program made: it may let changes pass',
    todo: 'Find out who changed the database, and restore it from a backup; then verify what was published since.',
  },
  guard_unknown: {
    means: 'a trigger that this program did not make works on its tables',
    todo: 'Drop it, unless you know what it does.',
  },
  row_unreadable: {
    means: 'a row holds what this program never writes and cannot read: whatever needs it fails',
    todo: 'The database was changed by hand, or is damaged: restore it from a backup.',
  },
  blob_missing: {
    means: 'bytes that may be read in a repo are not in the blob store: downloads of them fail',
    todo: 'Restore the file from a backup, or upload the same bytes again: waybill needs nothing else.',
  },
  blob_corrupt: {
    means: 'the bytes under a digest are not the ones that were stored',
    todo: 'Restore the file from a backup, or upload the same bytes again: that replaces it.',
  },
  blob_unreadable: {
    means: 'the system does not give the bytes under a digest',
    todo: 'Look at the disk and at the rights of the file; then restore it from a backup.',
  },
  blob_size: {
    means: 'a repo says another size of a blob than its bytes have',
    todo: 'The database was changed by hand: restore it from a backup.',
  },
  blob_repo: {
    means: 'bytes may be read in a repo that is not there',
    todo: 'The database was changed by hand: restore it from a backup.',
  },
  run_blob_missing: {
    means:
      'an artifact or an output of a run is not in the blob store: the run does not verify, and cannot be published',
    todo: 'Restore the file from a backup, or import a bundle of the run.',
  },
  tree_missing: {
    means: 'the list of the files a run began with is not in the blob store: the run does not verify',
    todo: 'Restore the file from a backup, or import a bundle of a run on that tree.',
  },
  entry_without_blob: {
    means: 'a file of a version may not be read in its own repo: downloads of it fail',
    todo: 'Upload the same bytes to that repo again.',
  },
  version_incomplete: {
    means: 'a published version has no files or no manifest',
    todo: 'The database was changed by hand: restore it from a backup.',
  },
  version_changed: {
    means: 'a version is not what was published: its files or its manifest are others',
    todo: 'Do not use it. Restore the database from a backup, and tombstone the version if that is not possible.',
  },
  version_contradicted: {
    means:
      'what a version says of itself is not what its event, its audit records or its gate runs say: its state, when and by whom it was published or withdrawn, its run or its key may be false',
    todo: 'Do not trust what it says. Restore the database from a backup; `waybill verify` names what differs.',
  },
  manifest_changed: {
    means: 'the manifest of a version is not the one that was put',
    todo: 'Do not use the version. Restore the database from a backup.',
  },
  attestation_changed: {
    means: 'the attestation of a version is not the one that was stored with it',
    todo: 'Do not trust it. Restore the database from a backup.',
  },
  version_without_package: {
    means: 'a version belongs to no package, or to one of another repo',
    todo: 'The database was changed by hand: restore it from a backup.',
  },
  version_without_run: {
    means: 'the run a version was made by is not in this store: the way back from it ends here',
    todo: 'Import the bundle of that run.',
  },
  version_without_event: {
    means: 'a version is published and no event announces it: its consumers were not told',
    todo: 'The database was changed by hand: restore it from a backup, and tell the consumers.',
  },
  version_without_record: {
    means: 'a version is published and the audit does not say by whom',
    todo: 'The database was changed by hand: restore it from a backup.',
  },
  event_without_version: {
    means: 'an event announces a version that is not published, or is another',
    todo: 'The database was changed by hand: restore it from a backup, and tell the consumers.',
  },
  record_without_version: {
    means: 'the audit says that a version was published, and it is not',
    todo: 'The database was changed by hand: restore it from a backup.',
  },
  event_count: {
    means: 'a package does not count the events it has told: its next publish fails, or tells an event twice',
    todo: 'The database was changed by hand: restore it from a backup.',
  },
  row_without_version: {
    means: 'files, a manifest, an attestation or a quarantine belong to no version',
    todo: 'The database was changed by hand: restore it from a backup.',
  },
  package_without_repo: {
    means: 'a package belongs to no repo',
    todo: 'The database was changed by hand: restore it from a backup.',
  },
  tag_to_nothing: {
    means: 'a tag does not point to a published version of its package',
    todo: 'Set it to another version, or remove it: waybill tags --help',
  },
  audit_chain: {
    means: 'the audit was changed, cut or added to behind the back of the program',
    todo: 'Compare with a copy of the audit, or with a head that was noted elsewhere: waybill audit verify',
  },
} as const satisfies Record<string, { readonly means: string; readonly todo: string }>;

export type DamageKind = keyof typeof damageKinds;

/** One thing that is wrong. */
export interface Damage {
  readonly kind: DamageKind;
  /** What it was found at: a version id, a digest, a table ... */
  readonly where: string;
  /** What was expected, and what was found. */
  readonly found: string;
}

/** What is worth a word and no damage. */
export interface Remark {
  readonly kind: 'unreferenced' | 'staged';
  readonly count: number;
  readonly bytes: number;
}

export interface FsckReport {
  readonly intact: boolean;
  /** False when it was stopped before it had looked at everything. */
  readonly complete: boolean;
  /** The first thousand, in the order they were found. */
  readonly damage: readonly Damage[];
  readonly damageCount: number;
  readonly remarks: readonly Remark[];
  /** How many of each thing were looked at. */
  readonly checked: Readonly<Record<string, number>>;
}
